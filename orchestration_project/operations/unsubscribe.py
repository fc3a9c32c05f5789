"""Unsubscribe: links that only we can have made, and the page behind them where one click ends all messages."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.applications import Starlette

SHORTEST_SECRET = 16
_PURPOSE = b"unsubscribe 1\n"
"""Part of what is signed, so that nothing that is signed for another purpose is a token."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


class WeakSecret(ValueError):
    """A secret that could be guessed."""

    def __init__(self) -> None:
        super().__init__(f"the secret for unsubscribe links needs at least {SHORTEST_SECRET} characters")


@dataclass(frozen=True)
class Reader:
    """Who a link was made for."""

    customer_id: str
    address: str


class Tokens:
    """Makes tokens and reads them back; they never end, since a link in an old mail has to work.

    A token shows customer and address to whoever has the link; it hides nothing, it only can't be forged.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise WeakSecret
        self._secret = secret.encode()

    def token(self, reader: Reader) -> str:
        """The token for a reader; always the same."""
        content = json.dumps([reader.customer_id, reader.address], separators=(",", ":")).encode()
        return f"{_coded(content)}.{_coded(self._signature(content))}"

    def reader(self, token: str) -> Reader | None:
        """Who a token was made for; None where it was not made with this secret."""
        content_part, _, signature_part = token.partition(".")
        try:
            content, signature = _decoded(content_part), _decoded(signature_part)
        except (binascii.Error, ValueError):
            return None
        # The text is compared too: base64 has several spellings of the same bytes.
        if not hmac.compare_digest(signature, self._signature(content)):
            return None
        customer_id, address = json.loads(content)
        found = Reader(customer_id, address)
        return found if self.token(found) == token else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.new(self._secret, _PURPOSE + content, hashlib.sha256).digest()


def link(url: str, tokens: Tokens) -> Callable[[str, str], str]:
    """Makes the links below a page's public address, for a customer and an address."""
    return lambda customer_id, address: f"{url.rstrip('/')}/{tokens.token(Reader(customer_id, address))}"


def application(tokens: Tokens, suppress: Callable[[Reader], None], path: str = "/unsubscribe") -> "Starlette":
    """The page as an ASGI application: GET asks, since programs open links too; POST calls `suppress` at once."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    def answer(request: Request) -> HTMLResponse:
        reader = tokens.reader(request.path_params["token"])
        if reader is None:
            return HTMLResponse(_page("invalid", ""), 400, _HEADERS)
        done = request.method == "POST"
        if done:
            suppress(reader)
        return HTMLResponse(_page("done" if done else "ask", reader.address), 200, _HEADERS)

    return Starlette(routes=[Route(f"{path.rstrip('/')}/{{token}}", answer, methods=["GET", "POST"])])


def _page(state: str, address: str) -> str:
    return str(_template().render(state=state, address=address))


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    file = resources.files(__package__).joinpath("templates", "unsubscribe.html")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(file.read_text(encoding="utf-8"))


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
