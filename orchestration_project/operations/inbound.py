"""Inbound: reads what came back, from a mailbox or a folder of mails, and hands on what it is."""

import imaplib
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration_project.operations.response import LARGEST, Response, classified
from orchestration_project.settings import InboxSettings

READ = "customer-health-read"
"""Keyword that marks mails as read by us; whether a person has read them too does not matter."""


class InboxError(Exception):
    """A mailbox or folder that can't be read; names the cause and the fix."""


def take_in(mails: Iterable[bytes], store: Callable[[Response], None], now: datetime) -> int:
    """Gives `store` what came back; how many it was given.

    `store` may be given the same response again and knows it by its `source_id`. A mail that does not tell when it
    came, or tells a time to come, came now.
    """
    count = 0
    for mail in mails:
        response = classified(mail)
        if response is not None:
            told = response.received_at
            store(replace(response, received_at=min(told, now) if told else now))
            count += 1
    return count


def folder(path: Path) -> Iterator[bytes]:
    """The mails in a folder of `.eml` files, which stay there."""
    try:
        for file in sorted(path.glob("*.eml")):
            if file.is_file():
                with file.open("rb") as mail:
                    yield mail.read(LARGEST)
    except OSError as error:
        raise InboxError(f"{path} can't be read ({error.strerror}); check its rights") from error


def mailbox(
    settings: InboxSettings, username: str, password: str, trusted: ssl.SSLContext | None = None
) -> Iterator[bytes]:
    """The mails of a mailbox's folder that were not read before.

    A mail is marked once the next one is asked for, so one whose handling failed is there the next time.
    """
    with _opened(settings, username, password, trusted) as box:
        for uid in box.uids(f"UNKEYWORD {READ}"):
            mail = _fetched(box, uid)
            if mail is not None:
                yield mail
                box.flag(uid, READ, True)


@contextmanager
def _opened(settings: InboxSettings, username: str, password: str, trusted: ssl.SSLContext | None) -> Iterator[Any]:
    from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
    from imap_tools.errors import ImapToolsError, MailboxLoginError

    assert settings.host is not None
    where, timeout = f"{settings.host}:{settings.port}", settings.timeout_seconds
    context = trusted or ssl.create_default_context()
    box: BaseMailBox
    try:
        if settings.security == "none":
            box = MailBoxUnencrypted(settings.host, settings.port, timeout)
        elif settings.security == "starttls":
            box = MailBoxStartTls(settings.host, settings.port, timeout, context)
        else:
            box = MailBox(settings.host, settings.port, timeout, ssl_context=context)
        with box.login(username, password, settings.folder):
            yield box
    except MailboxLoginError as error:
        raise InboxError(f"{where} refused the login; check {settings.password_variable}") from error
    except ssl.SSLCertVerificationError as error:
        raise InboxError(f"the certificate of {where} is not trusted ({error.verify_message})") from error
    except (ImapToolsError, imaplib.IMAP4.error, OSError) as error:
        raise InboxError(f"{where} can't be read ({' '.join(str(error).split())[:200]})") from error


def _fetched(box: Any, uid: str) -> bytes | None:
    """The first part of a mail, whatever its size; None where it has gone."""
    _, told = box.client.uid("fetch", uid, f"(BODY.PEEK[]<0.{LARGEST}>)")
    return next((each[1] for each in told or () if isinstance(each, tuple)), None)
