"""Tools: calls of MCP servers, over stdio or streamable HTTP, of a role's allowed tools and no others."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

import anyio
import httpx2
from anyio.abc import TaskGroup
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from orchestration_project.agents.errors import AgentError, HumanNeeded, InvalidData, ToolFailure, UnexpectedOutput
from orchestration_project.agents.servers import ToolServer

LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes of one reply at most; tools have pages for more."""
CONNECT_SECONDS = 15.0
UNREACHABLE = -32001
"""Code of our own for a call that met no MCP server: see `_Told`."""
INVALID_PARAMS, METHOD_NOT_FOUND = -32602, -32601
REFUSED = (401, 403)


class Tools:
    """The tools of a role, as an asynchronous context: `async with Tools(...) as tools: await tools.call(...)`."""

    def __init__(self, servers: Mapping[str, ToolServer], allowed: frozenset[str], role: str) -> None:
        self._servers, self._allowed, self._role = servers, allowed, role
        self._connections: dict[str, _Connection] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._group: TaskGroup = await self._stack.enter_async_context(anyio.create_task_group())
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._stack.__aexit__(*raised)

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The object that a tool answered with; raises an `AgentError` of the class that fits where it did not."""
        self.allow(server, tool)
        client = await self._connection(server).client()
        with self._understood(server, tool):
            result = await client.call_tool(tool, dict(arguments))
        if result.is_error:
            raise _told(server, tool, _text(result.content))
        return _object(f"{server}.{tool}", result.structured_content, _text(result.content))

    async def names(self, server: str) -> list[str]:
        """The tools that a server offers."""
        client = await self._connection(server).client()
        try:
            return [tool.name for tool in (await client.list_tools()).tools]
        except MCPError as error:
            raise _failure(server, "its list of tools", error, self._connections[server]) from error

    async def arguments(self, server: str, tool: str) -> frozenset[str]:
        """The arguments that a tool takes; raises an `AgentError` where that can't be told."""
        self.allow(server, tool)
        client = await self._connection(server).client()
        with self._understood(server, tool):
            offered = (await client.list_tools()).tools
        for each in offered:
            if each.name == tool:
                return frozenset(each.input_schema.get("properties") or {})
        raise _no_tool(server, tool)

    def allow(self, server: str, tool: str) -> None:
        """Raises `HumanNeeded` where the role may not call a tool, or nobody knows the server."""
        if f"{server}.{tool}" not in self._allowed:
            raise HumanNeeded(
                f"role {self._role} may not call {server}.{tool}; it may call "
                f"{', '.join(sorted(self._allowed)) or 'nothing'}. Add the tool to `roles.{self._role}.tools` of the "
                "manifest if it should"
            )
        if server not in self._servers:
            raise HumanNeeded(f"there is no tool server {server}; add it to `servers` in sources.yaml")

    @contextmanager
    def _understood(self, server: str, tool: str) -> Iterator[None]:
        """Makes of whatever a request raises an `AgentError` of the class that fits."""
        try:
            yield
        except AgentError:
            raise
        except MCPError as error:
            raise _failure(server, tool, error, self._connections[server]) from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, httpx2.HTTPError, OSError) as error:
            self._connections[server].lost()
            raise ToolFailure(f"the connection to server {server} broke ({type(error).__name__})") from error
        except (RuntimeError, ValueError) as error:
            raise UnexpectedOutput(
                f"{server}.{tool} answered with what it does not declare: {_short(error)}"
            ) from error

    def _connection(self, server: str) -> "_Connection":
        if server not in self._connections:
            self._connections[server] = _Connection(server, self._servers[server], self._group)
        return self._connections[server]


class _Connection:
    """One server, connected when it is first called, and again after it was lost."""

    def __init__(self, name: str, server: ToolServer, group: TaskGroup) -> None:
        self._name, self._server, self._group = name, server, group
        self._lock = anyio.Lock()
        self._client: Client | None = None
        self._lost = anyio.Event()

    async def client(self) -> Client:
        """The connected client; `ToolFailure` where the server can't be reached."""
        async with self._lock:
            if self._client is None:
                self._lost = anyio.Event()
                told: list[Client | AgentError] = []
                ready = anyio.Event()
                self._group.start_soon(self._hold, told, ready, self._lost)
                await ready.wait()
                if isinstance(told[0], AgentError):
                    raise told[0]
                self._client = told[0]
            return self._client

    def lost(self) -> None:
        """The connection broke; the next call makes a new one."""
        self._client = None
        self._lost.set()

    async def _hold(self, told: list[Client | AgentError], ready: anyio.Event, lost: anyio.Event) -> None:
        """Holds a connection open in a task of its own, which is where the SDK wants it to be closed too."""
        try:
            async with self._opened() as client:
                told.append(client)
                ready.set()
                await lost.wait()
        except AgentError as error:
            told.append(error)
        except Exception as error:  # noqa: BLE001 -- the SDK raises groups of whatever went wrong beneath it
            told.append(_unreachable(self._name, _first(error)))
        finally:
            if self._lost is lost:
                self._client = None
            ready.set()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Client]:
        async with AsyncExitStack() as stack:
            if self._server.url:
                http = httpx2.AsyncClient(
                    headers=self._server.headers(self._name),
                    timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
                    transport=_Told(httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None))),
                )
                await stack.enter_async_context(http)
                transport: Any = streamable_http_client(self._server.url, http_client=http)
            else:
                log = stack.enter_context(Path(os.devnull).open("w"))  # noqa: SIM115 -- the stack closes it
                transport = _stdio(self._server, log)
            yield await stack.enter_async_context(Client(transport, cache=None))


def _stdio(server: ToolServer, log: Any) -> Any:
    from mcp.client.stdio import stdio_client

    program, *arguments = server.command
    return stdio_client(StdioServerParameters(command=program, args=arguments, env=server.environment), errlog=log)


class _Told(httpx2.AsyncBaseTransport):
    """Keeps what the SDK would drop: an HTTP error's status and `Retry-After`, and why nobody could be reached.

    They travel as the data of a JSON-RPC error, in reply to the request that met them.
    """

    def __init__(self, inner: httpx2.AsyncHTTPTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            return _answer(request, {"cause": f"{type(error).__name__}: {error}".rstrip(": ")})
        if response.status_code < 400 or response.headers.get("content-type", "").startswith("application/json"):
            length = response.headers.get("content-length", "0")
            if length.isdigit() and int(length) > LARGEST_REPLY:
                await response.aclose()
                return _answer(request, {"cause": f"a reply of {int(length):,} bytes", "too_large": True})
            return response
        await response.aclose()
        return _answer(
            request,
            {"status": response.status_code, "retry_after": response.headers.get("retry-after")},
            response.status_code,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def _answer(request: httpx2.Request, data: dict[str, Any], status: int = 503) -> httpx2.Response:
    try:
        asked = json.loads(request.content).get("id")
    except (ValueError, AttributeError, httpx2.RequestNotRead):
        asked = None
    error = {"code": UNREACHABLE, "message": "no answer", "data": data}
    return httpx2.Response(status, json={"jsonrpc": "2.0", "id": asked, "error": error}, request=request)


def _failure(server: str, tool: str, error: MCPError, connection: _Connection) -> AgentError:
    """The class of error that fits what came back."""
    data = error.data if isinstance(error.data, dict) else {}
    if error.code == UNREACHABLE:
        return _no_answer(server, tool, data)
    if error.code == METHOD_NOT_FOUND:
        return _no_tool(server, tool)
    if error.code == INVALID_PARAMS:
        return InvalidData(f"{server}.{tool} refused the arguments: {_short(error.message)}")
    if error.code in (-32700, -32600):
        return UnexpectedOutput(f"{server}.{tool} answered with what is no MCP message: {_short(error.message)}")
    connection.lost()
    return ToolFailure(f"{server}.{tool} failed: {_short(error.message)}")


def _no_answer(server: str, tool: str, data: dict[str, Any]) -> AgentError:
    """What `_Told` met in place of an answer."""
    if data.get("too_large"):
        return InvalidData(f"{server}.{tool} answered with {data['cause']}, more than {LARGEST_REPLY:,}")
    status = data.get("status")
    if status in REFUSED:
        return HumanNeeded(f"server {server} refused the call with status {status}; check its token (`token_variable`)")
    if status:
        return ToolFailure(f"{server}.{tool} answered with status {status}", _seconds(data.get("retry_after")))
    return ToolFailure(f"server {server} can't be reached ({data.get('cause')})")


def _unreachable(server: str, error: BaseException) -> AgentError:
    if isinstance(error, AgentError):
        return error
    data = error.data if isinstance(error, MCPError) else None
    if isinstance(data, dict):
        return _no_answer(server, "its greeting", data)
    return ToolFailure(f"server {server} can't be reached ({_short(error)})")


def _told(server: str, tool: str, message: str) -> AgentError:
    """What a tool says went wrong; there is no standard for telling what another try would mend."""
    if message.lower().startswith("unknown tool"):
        return _no_tool(server, tool)
    return ToolFailure(f"{server}.{tool} failed: {_short(message)}")


def _no_tool(server: str, tool: str) -> HumanNeeded:
    return HumanNeeded(f"server {server} has no tool {tool}; correct its name in sources.yaml and in the manifest")


def _object(tool: str, structured: Any, text: str) -> dict[str, Any]:
    if structured is None:
        if len(text) > LARGEST_REPLY:
            raise InvalidData(f"{tool} answered with {len(text):,} characters, more than {LARGEST_REPLY:,}")
        try:
            structured = json.loads(text)
        except ValueError as error:
            raise UnexpectedOutput(f"{tool} answered with what is no JSON: {_short(text)}") from error
    if not isinstance(structured, dict):
        raise UnexpectedOutput(f"{tool} answered with {type(structured).__name__} where an object is due")
    return structured


def _text(content: Any) -> str:
    return "".join(block.text for block in content if getattr(block, "type", None) == "text")


def _seconds(value: Any) -> float | None:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return 1.0 if value else None


def _short(told: object) -> str:
    text = " ".join(str(told).split()) or type(told).__name__
    return text if len(text) <= 200 else text[:199] + "…"


def _first(error: BaseException) -> BaseException:
    """The first error in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
