"""Slack: what a server that speaks its API gets, and what each of its answers means."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from orchestration_project.operations.channel import PermanentFailure, TransientFailure, UncertainFailure
from orchestration_project.operations.channels.slack import Bot, Webhook

Reply = tuple[int, dict[str, str], bytes] | None


@dataclass
class Slack:
    """An HTTP server; None as its reply closes the connection after the request was read."""

    port: int = 0
    reply: Reply = (200, {}, b'{"ok": true, "ts": "17.42", "channel": "C42"}')
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def says(self, status: int, content: Any, **headers: str) -> None:
        told = content if isinstance(content, str) else json.dumps(content)
        self.reply = (status, {name.replace("_", "-"): each for name, each in headers.items()}, told.encode())


@pytest.fixture
def slack() -> Iterator[Slack]:
    fake = Slack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            fake.asked.append((self.path, {name.lower(): each for name, each in self.headers.items()}, content))
            if fake.reply is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, body = fake.reply
            self.send_response(status)
            for name, each in headers.items():
                self.send_header(name, each)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def bot(slack: Slack) -> Bot:
    return Bot("xoxb-secret", f"http://127.0.0.1:{slack.port}/api/", 2)


@pytest.fixture
def webhook(slack: Slack) -> Webhook:
    slack.says(200, "ok")
    return Webhook(f"http://127.0.0.1:{slack.port}/services/T/B/secret", 2)


def told(failure: type[Exception], send: Callable[[], Any]) -> Any:
    with pytest.raises(failure) as raised:
        send()
    assert type(raised.value) is failure
    assert "secret" not in str(raised.value)
    return raised.value


def test_a_bot_posts_to_the_channel_with_the_key_as_metadata(slack: Slack, bot: Bot, message: Any) -> None:
    receipt = bot.send(message("chat", to="#risk"))
    ((path, headers, asked),) = slack.asked
    assert (receipt.external_id, receipt.details) == ("17.42", {"channel": "C42"})
    assert (path, headers["authorization"]) == ("/api/chat.postMessage", "Bearer xoxb-secret")
    assert (asked["channel"], asked["text"]) == ("#risk", "C1 is at risk")
    assert asked["metadata"]["event_payload"] == {"idempotency_key": "k1"}


@pytest.mark.parametrize(("owner", "to"), [("Ann Weiß", "C0ANN"), ("Bo Marín", "#health")])
def test_a_bot_posts_where_the_owner_reads_or_else_to_the_usual_channel(
    slack: Slack, message: Any, owner: str, to: str
) -> None:
    bot = Bot("xoxb-secret", f"http://127.0.0.1:{slack.port}/api/", 2, {"Ann Weiß": "C0ANN"}, "#health")
    bot.send(message("chat", to=owner))
    assert slack.asked[-1][2]["channel"] == to


def test_a_webhook_posts_the_text(slack: Slack, webhook: Webhook, message: Any) -> None:
    assert webhook.send(message("task")).external_id == "k1"
    ((path, _, asked),) = slack.asked
    assert (path, asked["text"]) == ("/services/T/B/secret", "Call C1\nUsage fell by 40 %.")


def test_text_mentions_nobody_and_links_nowhere(slack: Slack, bot: Bot, message: Any) -> None:
    bot.send(message("chat", body="<!channel> & <https://evil.example|your bank>" + "x" * 5000))
    asked = slack.asked[0][2]
    assert asked["text"].startswith("&lt;!channel&gt; &amp; &lt;https://evil.example|your bank&gt;xxx")
    assert len(asked["text"]) < 3100
    assert (asked["parse"], asked["link_names"], asked["unfurl_links"]) == ("none", False, False)


@pytest.mark.parametrize("who", ["bot", "webhook"])
@pytest.mark.parametrize(
    ("given", "seconds"), [({"Retry_After": "7"}, 7.0), ({}, 30.0), ({"Retry_After": "soon"}, 30.0)]
)
def test_who_is_told_to_slow_down_learns_for_how_long(
    slack: Slack, request: Any, message: Any, who: str, given: Any, seconds: float
) -> None:
    channel = request.getfixturevalue(who)
    slack.says(429, {"ok": False, "error": "ratelimited"}, **given)
    assert told(TransientFailure, lambda: channel.send(message("chat"))).retry_after == seconds
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (200, "channel_not_found", PermanentFailure), (200, "invalid_auth", PermanentFailure),
        (200, "service_unavailable", TransientFailure), (200, "fatal_error", UncertainFailure),
        (200, "internal_error", UncertainFailure), (403, "forbidden", PermanentFailure), (500, "x", UncertainFailure),
        (503, "x", UncertainFailure),
    ],
)  # fmt: skip
def test_a_bots_errors_mean_what_slack_says_of_them(
    slack: Slack, bot: Bot, message: Any, status: int, error: str, failure: type[Exception]
) -> None:
    slack.says(status, {"ok": False, "error": error})
    assert error in str(told(failure, lambda: bot.send(message("chat"))))
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, "invalid_payload", PermanentFailure),
        (404, "no_service", PermanentFailure),
        (500, "oops", UncertainFailure),
    ],
)
def test_a_webhooks_errors_mean_what_their_status_says(
    slack: Slack, webhook: Webhook, message: Any, status: int, body: str, failure: type[Exception]
) -> None:
    slack.says(status, body)
    assert body in str(told(failure, lambda: webhook.send(message("chat"))))


@pytest.mark.parametrize("who", ["bot", "webhook"])
def test_an_answer_that_is_lost_leaves_it_uncertain_and_is_not_asked_for_again(
    slack: Slack, request: Any, message: Any, who: str
) -> None:
    channel = request.getfixturevalue(who)
    slack.reply = None
    assert "answer was lost" in str(told(UncertainFailure, lambda: channel.send(message("chat"))))
    assert len(slack.asked) == 1


def test_an_answer_that_is_no_json_leaves_it_uncertain(slack: Slack, bot: Bot, message: Any) -> None:
    slack.says(200, "<html>Bad gateway</html>")
    told(UncertainFailure, lambda: bot.send(message("chat")))
    slack.says(200, {"ok": True})
    told(UncertainFailure, lambda: bot.send(message("chat")))


def test_a_server_that_is_not_there_is_transient(message: Any) -> None:
    for channel in (Bot("xoxb-secret", "http://127.0.0.1:1/api/", 2), Webhook("http://127.0.0.1:1/secret", 2)):
        assert "can't be reached" in str(told(TransientFailure, lambda one=channel: one.send(message("chat"))))  # type: ignore[misc]


@pytest.mark.parametrize(("kind", "payload"), [("email", {}), ("note", {}), ("chat", {"body": " "}), ("fax", {})])
def test_what_slack_is_not_for_is_refused(slack: Slack, bot: Bot, message: Any, kind: str, payload: Any) -> None:
    told(PermanentFailure, lambda: bot.send(message(kind, **payload)))
    assert slack.asked == []
