"""MCP: messages given to tools of real servers, once for each key, and what each way of failing means."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from orchestration_project.agents.servers import ToolServer
from orchestration_project.operations.channel import PermanentFailure, TransientFailure, UncertainFailure
from orchestration_project.operations.channels.mcp import EVERY, Mcp

NAMES = ("crm", "email", "tasks", "chat")


@pytest.fixture
def mcp(head: Any, now: Any) -> Iterator[Callable[..., Mcp]]:
    with ExitStack() as stack:

        def opened(process: Any = None, url: str = "", timeout: float = 5, tools: frozenset[str] = EVERY) -> Mcp:
            servers = {name: ToolServer(url=url or f"{process.url}/{name}/mcp") for name in NAMES}
            return stack.enter_context(Mcp(servers, timeout, head, now, tools))

        yield opened


@pytest.fixture
def keyless() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server whose tool `post` takes no key, and what it is to do: answer, fail, or close the connection."""
    told: dict[str, Any] = {"result": {"content": [], "structuredContent": {"id": "m-1"}}, "calls": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            result: dict[str, Any] = {
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "x", "version": "1"},
            }  # fmt: skip
            if asked.get("method") == "tools/list":
                schema = {"type": "object", "properties": {"channel": {}, "text": {}}}
                result = {"tools": [{"name": "post", "inputSchema": schema}]}
            elif asked.get("method") == "tools/call":
                told["calls"].append(asked["params"]["arguments"])
                result = told["result"]
            body = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "result": result}).encode()
            self.send_response(200 if "id" in asked else 202)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if result is not None:
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/mcp", told
    server.shutdown()
    server.server_close()


def test_each_kind_is_given_to_its_tool_with_the_key(tool_servers: Any, mcp: Any, message: Any) -> None:
    process = tool_servers()
    channel = mcp(process)
    kinds = ("email", "task", "chat", "note")
    receipts = [channel.send(message(kind, key=kind, to="bo@customer.example")) for kind in kinds]
    calls = process.answered()
    assert [(call["tool"], call["key"]) for call in calls] == [
        ("email.send", "email"), ("tasks.create", "task"), ("chat.post", "chat"), ("crm.add_note", "note"),
    ]  # fmt: skip
    assert [receipt.external_id for receipt in receipts] == ["send-1", "create-2", "post-3", "add_note-4"]
    assert (calls[0]["to"], calls[0]["subject"]) == ("bo@customer.example", "How is it going?")
    assert calls[0]["body"].startswith(
        "Hello,\n\nis all well?\n\n-- \nUnsubscribe: https://health.example/unsubscribe/"
    )
    assert calls[2]["text"] == "C1 is at risk"


def test_a_task_comes_with_its_owner_and_deadline_where_the_tool_takes_them(
    tool_servers: Any, mcp: Any, message: Any
) -> None:
    process = tool_servers()
    mcp(process).send(message("task", to="Bo Marín", deadline="2026-11-24T08:00+00:00"))
    (call,) = process.answered()
    assert (call["owner"], call["deadline"]) == ("Bo Marín", "2026-11-24T08:00+00:00")


def test_a_tool_that_the_manifest_does_not_allow_is_not_called(tool_servers: Any, mcp: Any, message: Any) -> None:
    process = tool_servers()
    channel = mcp(process, tools=frozenset({"tasks.create", "crm.delete_everything"}))
    channel.send(message("task"))
    with pytest.raises(PermanentFailure, match=r"email\.send"):
        channel.send(message("email", to="bo@customer.example"))
    assert [call["tool"] for call in process.answered()] == ["tasks.create"]


def test_a_key_that_is_sent_again_has_the_receipt_of_the_first_time(tool_servers: Any, mcp: Any, message: Any) -> None:
    channel = mcp(tool_servers())
    assert channel.send(message("task")) == channel.send(message("task"))


def test_an_error_of_the_caller_comes_out_as_it_is(tool_servers: Any, head: Any, now: Any, message: Any) -> None:
    servers = {"tasks": ToolServer(url=f"{tool_servers().url}/tasks/mcp")}
    with pytest.raises(KeyError, match="of the caller"), Mcp(servers, 5, head, now, EVERY) as channel:
        channel.send(message("task"))
        raise KeyError("of the caller")


def test_a_tool_that_takes_the_key_may_be_called_again_after_a_time_out(
    tool_servers: Any, mcp: Any, message: Any
) -> None:
    channel = mcp(tool_servers(timeouts=1.0), timeout=1)
    with pytest.raises(TransientFailure, match="did not answer within 1 s"):
        channel.send(message("task"))


def test_a_tool_that_fails_or_asks_for_patience_is_transient(tool_servers: Any, mcp: Any, message: Any) -> None:
    with pytest.raises(TransientFailure, match="upstream connect error"):
        mcp(tool_servers(errors=1.0)).send(message("task"))
    channel, waits = mcp(tool_servers(calls_per_second=2)), []
    for n in range(20):
        try:
            channel.send(message("task", key=f"k{n}"))
        except TransientFailure as failure:
            waits.append(failure.retry_after)
    assert waits and set(waits) == {1.0}


def test_a_server_that_is_not_there_is_transient(mcp: Any, message: Any) -> None:
    with pytest.raises(TransientFailure, match="can't be reached"):
        mcp(url="http://127.0.0.1:1/mcp").send(message("task"))


def test_a_tool_without_a_key_is_called_without_one(keyless: Any, mcp: Any, message: Any) -> None:
    url, told = keyless
    assert mcp(url=url).send(message("chat")).external_id == "m-1"
    assert told["calls"] == [{"channel": "bo@customer.example", "text": "C1 is at risk"}]


@pytest.mark.parametrize(
    "result", [None, {"content": [{"type": "text", "text": "boom"}], "isError": True}, {"content": []}],
    ids=["no answer", "an error", "no object"],
)  # fmt: skip
def test_a_tool_without_a_key_that_fails_leaves_it_uncertain(keyless: Any, mcp: Any, message: Any, result: Any) -> None:
    url, told = keyless
    told["result"] = result
    with pytest.raises(UncertainFailure, match="takes no idempotency_key"):
        mcp(url=url, timeout=1).send(message("chat"))
    assert len(told["calls"]) == 1


def test_a_tool_that_is_not_there_and_a_payload_that_lacks_something_are_permanent(
    keyless: Any, mcp: Any, message: Any
) -> None:
    channel = mcp(url=keyless[0])
    with pytest.raises(PermanentFailure, match=r"server tasks has no tool create"):
        channel.send(message("task"))
    bare = message("chat")
    with pytest.raises(PermanentFailure, match="has no body in its payload"):
        channel.send(type(bare)("row-1", "k1", "chat", "#risk", {}))
    with pytest.raises(PermanentFailure, match="which no tool is for"):
        channel.send(message("fax"))
    assert keyless[1]["calls"] == []
