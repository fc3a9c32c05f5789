"""A mail server that notes down what it took, and fails as it is told to.

    python tests/operations/channels/mail_server.py '{"tls": "starttls", "replies": {"RCPT": [451]}}' LOG [CERTIFICATE]

Prints its port. `replies` are the first replies to MAIL, RCPT and DATA, null for none of its own; 421 closes the
connection too. `drop` closes it at MAIL or RCPT, or after a message was taken and before that is said (`DATA`), as
often as told. `slow` are the seconds that the answer to a message takes, `most` the messages of one connection.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Handler:
    def __init__(self, told: dict[str, Any], log: Path) -> None:
        self.told, self.log = told, log
        self.replies = {name: list(each) for name, each in told.get("replies", {}).items()}
        self.drops = dict(told.get("drop", {}))

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        session.sent = getattr(session, "sent", 0) + 1
        if session.sent > self.told.get("most", 10**9):
            self.close(server)
            return "421 too many messages on this connection"
        envelope.mail_from = address
        return self.reply(server, "MAIL") or "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        reply = self.reply(server, "RCPT")
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.told.get("slow", 0))
        reply = self.reply(server, "DATA") or "250 taken"
        if reply.startswith("250"):
            self.note(server, session, envelope)
        return reply

    def reply(self, server: SMTP, command: str) -> str | None:
        if self.drops.get(command, 0) > 0:
            self.drops[command] -= 1
            server.transport.abort()
            return "250 nobody reads this"
        waiting = self.replies.get(command)
        code = waiting.pop(0) if waiting else None
        if code == 421:
            self.close(server)
        return f"{code} told to fail" if code else None

    def close(self, server: SMTP) -> None:
        asyncio.get_running_loop().call_later(0.02, server.transport.close)

    def note(self, server: SMTP, session: Session, envelope: Envelope) -> None:
        taken = {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "content": envelope.content.decode("latin-1"),
            "tls": server.transport.get_extra_info("sslcontext") is not None, "login": session.authenticated,
            "peer": list(session.peer),
        }  # fmt: skip
        with self.log.open("a") as log:
            log.write(json.dumps(taken) + "\n")


async def main() -> None:
    told, log = json.loads(sys.argv[1]), Path(sys.argv[2])
    context = None
    if told.get("tls"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3])
    handler = Handler(told, log)

    def authenticator(
        _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: LoginPassword
    ) -> AuthResult:
        right = [data.login.decode(), data.password.decode()] == told["login"]
        return AuthResult(success=right, handled=False)

    def factory() -> SMTP:
        starttls = context if told.get("tls") == "starttls" else None
        return SMTP(
            handler, hostname="mail.test", tls_context=starttls, require_starttls=bool(starttls), timeout=60,
            auth_required="login" in told, auth_require_tls=False,
            authenticator=authenticator if "login" in told else None,
        )  # fmt: skip

    implicit = context if told.get("tls") == "tls" else None
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=implicit)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
