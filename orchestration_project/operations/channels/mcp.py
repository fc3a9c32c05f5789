"""MCP: messages given to tools of MCP servers, such as a CRM's, with the key that makes a second call harmless."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Self

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from orchestration_project.agents.errors import AgentError, ToolFailure, UnexpectedOutput
from orchestration_project.agents.servers import ToolServer
from orchestration_project.agents.tools import Tools
from orchestration_project.operations.channel import (
    Message,
    PermanentFailure,
    Receipt,
    TransientFailure,
    UncertainFailure,
)  # fmt: skip
from orchestration_project.operations.mail import Letterhead, composed, recipient_of

KEY = "idempotency_key"
ROLE = "delivery"
TOOLS: Mapping[str, tuple[str, str]] = {
    "email": ("email", "send"), "task": ("tasks", "create"), "chat": ("chat", "post"), "note": ("crm", "add_note"),
}  # fmt: skip
"""The tool of a server that each kind of message is given to; no other is ever called."""
EVERY = frozenset(f"{server}.{tool}" for server, tool in TOOLS.values())


class Mcp:
    """Tools of MCP servers, as a context: connections are made on first use and kept until the end."""

    def __init__(
        self,
        servers: Mapping[str, ToolServer],
        timeout_seconds: float,
        head: Letterhead,
        now: Callable[[], datetime],
        allowed: frozenset[str],
    ) -> None:
        self._tools, self._timeout = Tools(servers, allowed & EVERY, ROLE), timeout_seconds
        self._head, self._now = head, now
        self._stack = ExitStack()
        self._arguments: dict[str, frozenset[str]] = {}

    def __enter__(self) -> Self:
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._tools))
        return self

    def __exit__(self, *_: object) -> None:
        # Told of an error of the caller's, the connections' task groups would raise a group in its place.
        self._stack.close()

    def send(self, message: Message) -> Receipt:
        """Calls the tool for the message; what it answers as `id` is the receipt."""
        if message.kind not in TOOLS:
            raise PermanentFailure(f"message {message.outbox_id} is of kind {message.kind!r}, which no tool is for")
        server, tool = TOOLS[message.kind]
        arguments = self._written(message) if message.kind == "email" else _arguments(message)
        taken = self._taken(server, tool)
        keyed = KEY in taken
        if keyed:
            arguments[KEY] = message.idempotency_key
        arguments |= {name: value for name, value in _besides(message).items() if name in taken}
        try:
            answer = self._call(lambda: self._tools.call(server, tool, arguments))
        except TimeoutError as error:
            raise _lost(f"{server}.{tool} did not answer within {self._timeout:g} s", keyed) from error
        except (ToolFailure, UnexpectedOutput) as error:
            raise _lost(str(error), keyed, getattr(error, "retry_after", None)) from error
        except AgentError as error:
            raise PermanentFailure(str(error)) from error
        return Receipt(str(answer.get("id") or message.idempotency_key), {"tool": f"{server}.{tool}"})

    def _written(self, message: Message) -> dict[str, Any]:
        """The same text that a mail server would be given, with the way to unsubscribe."""
        mail = composed(message, self._head, self._now())
        text = mail.get_body(("plain",))
        assert text is not None
        return {
            "to": recipient_of(message),
            "subject": str(mail["Subject"]),
            "body": text.get_content().replace("\r\n", "\n"),
        }

    def _taken(self, server: str, tool: str) -> frozenset[str]:
        """The arguments that a tool takes; asked for before anything is handed over, so a failure is harmless."""
        name = f"{server}.{tool}"
        if name not in self._arguments:
            try:
                self._arguments[name] = self._call(lambda: self._tools.arguments(server, tool))
            except TimeoutError as error:
                raise TransientFailure(f"server {server} did not answer within {self._timeout:g} s") from error
            except AgentError as error:
                if error.transient:
                    raise TransientFailure(str(error), getattr(error, "retry_after", None)) from error
                raise PermanentFailure(str(error)) from error
        return self._arguments[name]

    def _call(self, make: Callable[[], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            with anyio.fail_after(self._timeout):
                return await make()

        return self._portal.call(run)


def _arguments(message: Message) -> dict[str, Any]:
    """What the tool is told, without the key; `PermanentFailure` where the payload lacks it."""
    told = message.payload
    try:
        if message.kind == "task":
            return {"customer_id": told["customer_id"], "title": told["subject"], "body": told["body"]}
        text = "\n".join(part for part in (told.get("subject"), told["body"]) if part)
        if message.kind == "chat":
            return {"channel": message.recipient, "text": text}
        return {"customer_id": told["customer_id"], "text": text}
    except KeyError as error:
        raise PermanentFailure(f"message {message.outbox_id} has no {error.args[0]} in its payload") from error


def _besides(message: Message) -> dict[str, Any]:
    """What a task's tool is told where it asks for it: whose the task is, and until when."""
    deadline = message.payload.get("deadline")
    told = {"owner": message.recipient} | ({"deadline": deadline} if deadline else {})
    return told if message.kind == "task" else {}


def _lost(sentence: str, keyed: bool, retry_after: float | None = None) -> TransientFailure | UncertainFailure:
    """A tool that takes the key does nothing twice, so it may be called again whatever became of the first call."""
    if keyed:
        return TransientFailure(sentence, retry_after)
    return UncertainFailure(f"{sentence}; it takes no {KEY}, so look there whether it was done")
