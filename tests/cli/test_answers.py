"""`responses`: what came back is recorded once, and one click on the page ends all mail."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from email import message_from_bytes, policy

import pytest

from orchestration_project.operations.models import OutboxMessage, Response, Suppression

SECRET = "a secret of enough characters"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("ORCHESTRATE_USER", "ann")
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", SECRET)


@pytest.fixture
def sent(asked):
    """A mail to Ann that has gone out; its Message-ID."""
    asked.shell("reviews", "approve", asked.draft())
    asked.shell("deliver")
    (row,) = asked.rows(OutboxMessage)
    return row.message_id


def mail(folder, name, *, to="", sender="ann@example.com", subject="Re: Hello", body="Thanks, all is well."):
    headers = {"From": sender, "Subject": subject, "Message-ID": f"<{name}@example.com>"}
    headers |= {"In-Reply-To": to} if to else {}
    folder.mkdir(exist_ok=True)
    text = "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + f"\r\n{body}\r\n"
    (folder / f"{name}.eml").write_text(text)


def test_a_reply_is_recorded_for_its_customer_and_message_once(asked, sent, tmp_path):
    folder = tmp_path / "inbox"
    mail(folder, "reply", to=sent)
    assert asked.shell("responses", "read", "--folder", folder, "--json").json == {"reply": 1}
    assert asked.shell("responses", "read", "--folder", folder, "--json").json == {"known already": 1}
    (row,) = asked.rows(Response)
    assert (row.kind, row.customer_id, row.excerpt) == ("reply", "C1", "Thanks, all is well.")
    assert asked.row(OutboxMessage, row.outbox_id).message_id == sent
    assert asked.rows(Suppression) == []


def test_who_wants_no_more_gets_no_more(asked, sent, tmp_path):
    mail(tmp_path / "inbox", "stop", to=sent, subject="unsubscribe", body="")
    assert asked.shell("responses", "read", "--folder", tmp_path / "inbox", "--json").json == {"unsubscribe": 1}
    (row,) = asked.rows(Suppression)
    assert (row.customer_id, row.address, row.source) == ("C1", "ann@example.com", "unsubscribe")


def test_what_names_no_message_of_ours_is_believed_only_where_it_asks_for_no_more(asked, sent, tmp_path):
    folder = tmp_path / "inbox"
    mail(folder, "reply", to="<other@example.com>", sender="bo@example.com")
    mail(folder, "stop", sender="Bo@example.com", subject="unsubscribe", body="")
    told = asked.shell("responses", "read", "--folder", folder, "--json").json
    assert told == {"about nothing that was sent": 1, "from a stranger who wants no mail": 1}
    assert asked.shell("responses", "read", "--folder", folder, "--json").json == {
        "about nothing that was sent": 1, "known already": 1,
    }  # fmt: skip
    assert asked.rows(Response) == []
    assert [(row.customer_id, row.address) for row in asked.rows(Suppression)] == [(None, "bo@example.com")]


def test_without_mailbox_or_folder_it_is_said_what_to_set(asked, tmp_path):
    assert asked.shell("responses", "read").sentence == (
        "No mailbox is configured; set `channels.inbox` in settings.yaml, or pass --folder."
    )
    assert asked.shell("responses", "read", "--folder", tmp_path / "none").sentence.startswith(
        f"{tmp_path / 'none'} is no folder;"
    )


def test_a_mailbox_that_can_not_be_read_is_one_sentence_and_stops_what_would_be_sent(asked, monkeypatch):
    monkeypatch.setenv("BOX_USER", "u")
    monkeypatch.setenv("BOX_PASSWORD", "p")
    asked.shell("reviews", "approve", asked.draft())
    asked.shell.settings(
        channels={
            "inbox": {
                "host": "127.0.0.1",
                "port": 1,
                "security": "none",
                "timeout_seconds": 2,
                "username_variable": "BOX_USER",
                "password_variable": "BOX_PASSWORD",
            }
        }
    )
    assert asked.shell("responses", "read").sentence.startswith("127.0.0.1:1 can't be read ")
    assert asked.shell("deliver").sentence.startswith("127.0.0.1:1 can't be read ")
    assert [row.state for row in asked.rows(OutboxMessage)] == ["pending"]


def page(url: str, method: str = "GET") -> int:
    for _ in range(100):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the page does not answer")


@pytest.fixture
def public(asked, free_port):
    """Runs the page's server in a process of its own; its address on this machine."""
    asked.shell.settings(channels={"unsubscribe_url": "https://mail.example.com/stop/here"})
    command = [sys.executable, "-m", "orchestration_project.cli", "responses", "serve", "--port", str(free_port),
               "--home", str(asked.shell.home)]  # fmt: skip
    process = subprocess.Popen(command)
    yield f"http://127.0.0.1:{free_port}"
    process.terminate()
    process.wait()


def test_one_click_on_the_link_in_a_mail_ends_all_mail_and_a_second_adds_nothing(public, asked):
    asked.shell("reviews", "approve", asked.draft())
    asked.shell("deliver")
    (file,) = (asked.shell.home / "outbox").glob("*.eml")
    sent = message_from_bytes(file.read_bytes(), policy=policy.default)
    link = sent["List-Unsubscribe"].strip("<>").replace("https://mail.example.com", public)
    assert page(link) == 200
    assert asked.rows(Suppression) == []
    assert (page(link, "POST"), page(link, "POST")) == (200, 200)
    assert [(row.customer_id, row.address, row.source) for row in asked.rows(Suppression)] == [
        ("C1", "ann@example.com", "unsubscribe")
    ]
    assert page(f"{link}x") == 400


def test_the_page_is_not_served_without_its_secret(asked, monkeypatch):
    monkeypatch.delenv("UNSUBSCRIBE_SECRET")
    assert "UNSUBSCRIBE_SECRET, which is not set" in asked.shell("responses", "serve").sentence
