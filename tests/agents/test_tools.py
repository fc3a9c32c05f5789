"""Tools: calls of real MCP servers, what is made of their errors, and what a role may not call."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from orchestration_project.agents.errors import AgentError, HumanNeeded, ToolFailure, UnexpectedOutput
from orchestration_project.agents.servers import ToolServer
from orchestration_project.agents.tools import Tools

LIST = ("tickets", "list_tickets", {"customer_id": "C000001"})


def called(servers: dict[str, Any], *calls: tuple[str, str, dict[str, Any]], allowed: Any = None) -> list[Any]:
    """What each call answered or raised, made by one role over one set of connections."""
    may = frozenset(f"{server}.{tool}" for server, tool, _ in calls) if allowed is None else frozenset(allowed)

    async def run() -> list[Any]:
        found: list[Any] = []
        async with Tools({name: ToolServer(**each) for name, each in servers.items()}, may, "collector") as tools:
            for call in calls:
                try:
                    found.append(await tools.call(*call))
                except AgentError as error:
                    found.append(error)
        return found

    return anyio.run(run)


def test_a_tool_answers_over_http_and_over_standard_input_alike(tool_servers: Any, company_tables: Path) -> None:
    command = [sys.executable, "-m", "orchestration_project.sources.simulation.servers", str(company_tables)]
    servers = {"tickets": tool_servers().server("tickets"), "local": {"command": [*command, "--stdio", "tickets"]}}
    http, local = called(servers, LIST, ("local", *LIST[1:]))
    assert http == local
    assert set(http) == {"items", "next_cursor"}


def test_a_role_can_call_its_own_tools_only(tool_servers: Any) -> None:
    process = tool_servers()
    servers = {name: process.server(name) for name in ("tickets", "email")}
    send = ("email", "send", {"to": "eve@evil.example", "subject": "", "body": "", "idempotency_key": "1"})
    refused, allowed = called(servers, send, LIST, allowed=["tickets.list_tickets"])
    assert isinstance(refused, HumanNeeded)
    assert "role collector may not call email.send; it may call tickets.list_tickets" in str(refused)
    assert "items" in allowed
    assert [call["tool"] for call in process.answered()] == ["tickets.list_tickets"]


def test_a_server_that_nobody_declared_is_not_called(tool_servers: Any) -> None:
    (error,) = called({}, LIST)
    assert isinstance(error, HumanNeeded)
    assert "there is no tool server tickets" in str(error)


def test_the_token_comes_from_the_environment_and_is_sent(tool_servers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process = tool_servers(token="s3cret")
    servers = {"tickets": process.server("tickets", token_variable="TICKETS_TOKEN")}
    (unset,) = called(servers, LIST)
    assert isinstance(unset, HumanNeeded)
    assert "export TICKETS_TOKEN" in str(unset)
    monkeypatch.setenv("TICKETS_TOKEN", "wrong")
    (refused,) = called(servers, LIST)
    assert isinstance(refused, HumanNeeded)
    assert "refused the call with status 401" in str(refused)
    assert "wrong" not in str(refused)
    monkeypatch.setenv("TICKETS_TOKEN", "s3cret")
    assert "items" in called(servers, LIST)[0]


def test_an_error_of_a_tool_is_transient_and_a_tool_that_is_not_there_is_for_a_person(tool_servers: Any) -> None:
    servers = {"tickets": tool_servers(errors=1.0).server("tickets")}
    failed, absent = called(servers, LIST, ("tickets", "drop_tickets", {}))
    assert isinstance(failed, ToolFailure) and failed.transient
    assert "upstream connect error" in str(failed)
    assert isinstance(absent, HumanNeeded)
    assert "server tickets has no tool drop_tickets" in str(absent)


def test_who_is_told_to_slow_down_learns_for_how_long(tool_servers: Any) -> None:
    servers = {"tickets": tool_servers(calls_per_second=2).server("tickets")}
    found = called(servers, *[LIST] * 30)
    refused = [each for each in found if isinstance(each, ToolFailure)]
    assert refused
    assert {each.retry_after for each in refused} == {1.0}


def test_a_server_that_is_not_there_is_a_failure_to_try_again() -> None:
    http, command = called(
        {"tickets": {"url": "http://127.0.0.1:1/mcp"}, "local": {"command": ["false"]}}, LIST, ("local", "x", {})
    )
    assert isinstance(http, ToolFailure) and http.transient
    assert "server tickets can't be reached" in str(http)
    assert isinstance(command, ToolFailure)
    assert "server local can't be reached" in str(command)


def test_a_server_that_was_started_again_is_found_again(tool_servers: Any) -> None:
    process = tool_servers()
    port = int(process.url.rpartition(":")[2])

    async def run() -> list[Any]:
        server = ToolServer(**process.server("tickets"))
        async with Tools({"tickets": server}, frozenset({"tickets.list_tickets"}), "collector") as tools:
            found: list[Any] = [await tools.call(*LIST)]
            process.stop()
            with contextlib.suppress(ToolFailure):
                found.append(await tools.call(*LIST))
            tool_servers(port=port)
            found.append(await tools.call(*LIST))
        return found

    first, again = anyio.run(run)
    assert first == again


@pytest.fixture
def http_server() -> Iterator[Callable[[Callable[[Any], Any]], str]]:
    """An HTTP server that answers MCP's greeting, and calls of tools with whatever a test says."""
    running: list[HTTPServer] = []

    def start(reply: Callable[[Any], Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                content = reply(asked) if asked.get("method") == "tools/call" else greeting(asked)
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(200 if "id" in asked else 202)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        running.append(HTTPServer(("127.0.0.1", 0), Handler))
        Thread(target=running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}/mcp"

    yield start
    for server in running:
        server.shutdown()


def greeting(asked: Any) -> Any:
    if asked.get("method") == "initialize":
        result = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "x", "version": "1"},
        }
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}
    if asked.get("method") == "tools/list":
        tools = [{"name": "list_tickets", "inputSchema": {"type": "object"}}]
        return {"jsonrpc": "2.0", "id": asked["id"], "result": {"tools": tools}}
    return {"jsonrpc": "2.0", "id": asked.get("id"), "error": {"code": -32601, "message": "no such method"}}


def answered(asked: Any, **result: Any) -> Any:
    return {"jsonrpc": "2.0", "id": asked["id"], "result": result}


MALFORMED: dict[str, Callable[[Any], Any]] = {
    "no json": lambda asked: b"<html>Bad gateway</html>",
    "json cut off": lambda asked: json.dumps(answered(asked, content=[])).encode()[:-9],
    "a list for an object": lambda asked: answered(asked, content=[{"type": "text", "text": "[1, 2]"}]),
    "text for json": lambda asked: answered(asked, content=[{"type": "text", "text": "No tickets, good job!"}]),
    "no content": lambda asked: answered(asked),
    "content of another shape": lambda asked: answered(asked, content={"items": []}),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_reply_of_another_shape_is_unexpected_and_asked_for_again(http_server: Any, kind: str) -> None:
    (error,) = called({"tickets": {"url": http_server(MALFORMED[kind])}}, LIST)
    assert isinstance(error, UnexpectedOutput | ToolFailure), error
    assert error.transient


def test_text_that_is_json_is_as_good_as_structured_content(http_server: Any) -> None:
    text = json.dumps({"items": [], "next_cursor": None})
    url = http_server(lambda asked: answered(asked, content=[{"type": "text", "text": text}]))
    assert called({"tickets": {"url": url}}, LIST) == [{"items": [], "next_cursor": None}]


def test_a_huge_reply_is_not_read(http_server: Any) -> None:
    huge = {"items": ["x" * 1_000_000] * 20}
    url = http_server(lambda asked: answered(asked, content=[], structuredContent=huge))
    (error,) = called({"tickets": {"url": url}}, LIST)
    assert isinstance(error, AgentError) and not error.transient
    assert "bytes" in str(error)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "either `url` or `command`"),
        ({"url": "http://x/mcp", "command": ["x"]}, "either `url` or `command`"),
        ({"url": "ftp://x"}, "url"),
        ({"command": ["x"], "token_variable": "T"}, "token_variable"),
        ({"url": "http://x/mcp", "token": "abc"}, "token"),
    ],
)
def test_a_server_is_reached_in_one_way_and_its_token_is_never_in_a_file(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ToolServer(**wrong)
