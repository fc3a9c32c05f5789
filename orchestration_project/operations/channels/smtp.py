"""SMTP: e-mail through a mail server, many messages over one connection, and what each way of failing means."""

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from orchestration_project.operations.channel import (
    Message,
    PermanentFailure,
    Receipt,
    TransientFailure,
    UncertainFailure,
)  # fmt: skip
from orchestration_project.operations.mail import Letterhead, composed, recipient_of
from orchestration_project.settings import SmtpSettings

GO_ON, CLOSING = 354, 421
LOGIN_WANTED = (530, 534, 535, 538)
"""Refusals of who sends, not of a message: the message may go once the settings are mended."""


@dataclass(frozen=True)
class Login:
    """Who sends, as the server knows them."""

    username: str
    password: str


class Smtp:
    """A mail server; connects when the first message is sent, and again after a connection was lost."""

    def __init__(
        self,
        settings: SmtpSettings,
        head: Letterhead,
        now: Callable[[], datetime],
        login: Login | None,
        trusted: ssl.SSLContext,
    ) -> None:
        self._settings, self._head, self._now, self._login, self._trusted = settings, head, now, login, trusted
        self._server: smtplib.SMTP | None = None

    def send(self, message: Message) -> Receipt:
        """Hands the e-mail to the server; its Message-ID is the receipt."""
        if message.kind != "email":
            raise PermanentFailure(f"message {message.outbox_id} is of kind {message.kind!r}, which is no e-mail")
        mail, recipient = composed(message, self._head, self._now()), recipient_of(message)
        try:
            server = self._begun()
            self._must(server.rcpt(recipient), 250, 251, 252)
            self._must(server.docmd("DATA"), GO_ON)
            server.send(_stuffed(mail.as_bytes()))
        except OSError as error:
            self._lost(error)
        reply = self._ended(server)
        return Receipt(mail["Message-ID"], {"message_id": mail["Message-ID"], "reply": reply})

    def close(self) -> None:
        """Says good-bye to the server."""
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except OSError:
                server.close()

    def _begun(self) -> smtplib.SMTP:
        """The server, with a message begun; a connection that was closed while it was idle shows it only now."""
        reused, server = self._server is not None, self._connected()
        try:
            reply = server.mail(self._head.address)
        except OSError:
            if not reused:
                raise
            reply = (CLOSING, b"connection lost")
        if reused and reply[0] == CLOSING:
            self._drop()
            return self._begun()
        self._must(reply, 250)
        return server

    def _connected(self) -> smtplib.SMTP:
        if self._server is None:
            self._server = self._connect()
        return self._server

    def _connect(self) -> smtplib.SMTP:
        told = self._settings
        assert told.host is not None
        server: smtplib.SMTP
        if told.security == "tls":
            server = smtplib.SMTP_SSL(told.host, told.port, timeout=told.timeout_seconds, context=self._trusted)
        else:
            server = smtplib.SMTP(told.host, told.port, timeout=told.timeout_seconds)
        try:
            if told.security == "starttls":
                server.starttls(context=self._trusted)
            if self._login:
                server.login(self._login.username, self._login.password)
            server.ehlo_or_helo_if_needed()
            # The end of a message is a packet of its own, which would wait 40 ms for the server to confirm the last.
            assert server.sock is not None
            server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            server.close()
            raise
        return server

    def _ended(self, server: smtplib.SMTP) -> str:
        """Ends the message; from here on the server may have it, whatever becomes of the connection."""
        try:
            server.send(b".\r\n")
            code, told = server.getreply()
        except OSError as error:
            self._drop()
            raise UncertainFailure(
                f"{self._settings.host} took the whole message but its answer was lost ({_short(error)}); look in its "
                "log whether it was delivered"
            ) from error
        if not 200 <= code < 600:
            self._drop()
            raise UncertainFailure(f"{self._settings.host} answered {code} to the message, which means nothing")
        self._must((code, told), 250)
        return told.decode("utf-8", "replace")

    def _must(self, reply: tuple[int, bytes], *wanted: int) -> None:
        """Raises what a refusal means, and leaves the connection ready for the next message."""
        code, told = reply
        if code in wanted:
            return
        if code == CLOSING:
            self._drop()
        else:
            self._reset()
        sentence = f"{self._settings.host} refused with {code}: {_short(told.decode('utf-8', 'replace'))}"
        if 500 <= code < 600 and code not in LOGIN_WANTED:
            raise PermanentFailure(sentence)
        raise TransientFailure(sentence)

    def _lost(self, error: OSError) -> NoReturn:
        """The server can't have the message: its end was not sent."""
        self._drop()
        cause = _short(error)
        if isinstance(error, ssl.SSLCertVerificationError):
            cause = f"its certificate is not trusted: {error.verify_message}"
        elif isinstance(error, smtplib.SMTPAuthenticationError):
            cause = f"it refused the login with {error.smtp_code}; check {self._settings.password_variable}"
        elif isinstance(error, smtplib.SMTPNotSupportedError):
            cause = f"it does not offer what channels.smtp wants: {error}"
        raise TransientFailure(
            f"{self._settings.host}:{self._settings.port} could not be given the message ({cause})"
        ) from error

    def _reset(self) -> None:
        try:
            if self._server is not None:
                self._server.rset()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()


def _stuffed(content: bytes) -> bytes:
    """A message as it is sent: a dot that begins a line is doubled, since one alone ends the message."""
    ending = b"" if content.endswith(b"\r\n") else b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", content) + ending


def _short(told: object) -> str:
    return " ".join(str(told).split())[:200] or type(told).__name__
