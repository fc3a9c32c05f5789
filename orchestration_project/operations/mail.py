"""Mail: composes messages that any mail server takes, and refuses what could smuggle in a header or a recipient."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration_project.domain import texts
from orchestration_project.domain.addresses import address
from orchestration_project.operations.channel import Message, PermanentFailure

MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,180}@[A-Za-z0-9.\[\]:-]{1,120}>")
"""Message-IDs of the usual form; others are neither written nor looked up."""
LONGEST_SUBJECT, LONGEST_BODY, LONGEST_THREAD = 250, 100_000, 10
ENCODED = "=?"
"""How encoded text begins in a header; the library would decode it, line breaks included."""
UNSUBSCRIBE = {"en": "Unsubscribe", "de": "Abmelden", "fr": "Se désabonner"}
FALLBACK = "en"


class Letter(BaseModel):
    """What the payload of an e-mail must hold."""

    model_config = ConfigDict(frozen=True)

    subject: str = Field(min_length=1, max_length=LONGEST_SUBJECT)
    body: str = Field(min_length=1, max_length=LONGEST_BODY)
    customer_id: str | None = None
    """The customer that it goes to; None for colleagues, who can't unsubscribe."""
    recipient_name: str | None = None
    language: str = FALLBACK
    thread: tuple[str, ...] = ()
    """Message-IDs that it follows upon, the oldest first."""
    automatic: bool = True
    """Whether no person wrote or approved it."""


@dataclass(frozen=True)
class Letterhead:
    """Who writes, and how readers can stop it."""

    address: str
    name: str
    unsubscribe_mailto: str | None = None
    unsubscribe_link: Callable[[str, str], str] | None = None
    """The page's URL for a customer and an address."""


@dataclass(frozen=True)
class _Ways:
    """The ways to unsubscribe from one message."""

    link: str | None
    mailto: str | None

    @property
    def shown(self) -> str | None:
        return self.link or self.mailto


def composed(message: Message, head: Letterhead, now: datetime) -> EmailMessage:
    """The e-mail for a message; `PermanentFailure` where it can't safely be one."""
    letter, recipient = _letter(message), recipient_of(message)
    mail = EmailMessage(policy=_policy())
    mail["Subject"] = letter.subject.strip()
    mail["From"] = Address(head.name, addr_spec=head.address)
    mail["To"] = Address(texts.name(letter.recipient_name or "") or "", addr_spec=recipient)
    mail["Date"] = now
    mail["Message-ID"] = message_id(message.idempotency_key, head)
    if thread := [each for each in letter.thread if MESSAGE_ID.fullmatch(each)][-LONGEST_THREAD:]:
        mail["In-Reply-To"] = thread[-1]
        mail["References"] = " ".join(thread)
    if letter.automatic:
        mail["Auto-Submitted"] = "auto-generated"
    ways = _ways(letter, recipient, mail["Message-ID"], head)
    _add_unsubscribe(mail, ways)
    _add_body(mail, letter, ways)
    return mail


def message_id(idempotency_key: str, head: Letterhead) -> str:
    """The Message-ID of what is sent under a key: always the same, and nobody else can tell the key from it."""
    return f"<{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}@{head.address.rpartition('@')[2]}>"


def recipient_of(message: Message) -> str:
    """The one address that a message goes to; `PermanentFailure` where its recipient is anything else."""
    found = address(message.recipient)
    if found is None:
        raise PermanentFailure(
            f"message {message.outbox_id} has the recipient {texts.clean(message.recipient, 80)!r}, which is not one "
            "e-mail address; correct contact_email of the customer"
        )
    return found


def _letter(message: Message) -> Letter:
    try:
        told = Letter.model_validate(message.payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PermanentFailure(f"message {message.outbox_id}: {field} does not fit: {first['msg']}") from error
    letter = told.model_copy(update={"body": told.body.replace("\r\n", "\n")})
    for field, found in (("subject", texts.unseen(letter.subject)), ("body", texts.unseen(letter.body, lines=True))):
        if found:
            raise PermanentFailure(
                f"message {message.outbox_id}: {field} holds the character U+{ord(found):04X}, which nobody sees and "
                "which can hide a header or a text; remove it"
            )
    if ENCODED in letter.subject:
        raise PermanentFailure(
            f"message {message.outbox_id}: subject holds {ENCODED!r}, which mail programs take for encoded text and "
            "which can hide a header; remove it"
        )
    return letter


def _ways(letter: Letter, recipient: str, own_id: str, head: Letterhead) -> _Ways:
    link = mailto = None
    if letter.customer_id and head.unsubscribe_link:
        link = head.unsubscribe_link(letter.customer_id, recipient)
    if letter.customer_id and head.unsubscribe_mailto:
        mailto = f"mailto:{head.unsubscribe_mailto}?subject={quote(f'unsubscribe {own_id}')}"
    return _Ways(link, mailto)


def _add_unsubscribe(mail: EmailMessage, ways: _Ways) -> None:
    told = [f"<{way}>" for way in (ways.link, ways.mailto) if way]
    if told:
        mail["List-Unsubscribe"] = ", ".join(told)
    if ways.link:
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _add_body(mail: EmailMessage, letter: Letter, ways: _Ways) -> None:
    language = letter.language if letter.language in UNSUBSCRIBE else FALLBACK
    body, word = letter.body.strip("\n"), UNSUBSCRIBE[language]
    footer = f"\n\n-- \n{word}: {ways.shown}" if ways.shown else ""
    # Quoted-printable survives servers that know no 8-bit text, and lines of any length.
    mail.set_content(f"{body}{footer}\n", cte="quoted-printable")
    paragraphs = [each.split("\n") for each in re.split(r"\n\s*\n", body)]
    html = _template().render(
        subject=letter.subject, paragraphs=paragraphs, language=language, unsubscribe=ways.shown, word=word
    )
    mail.add_alternative(html, subtype="html", cte="quoted-printable")


class _Verbatim(UnstructuredHeader):
    """A header of ASCII tokens, one a line: the library would encode long ones, which then nobody understands."""

    def fold(self, *, policy: Any) -> str:
        lines = str(self).replace(" ", f"{policy.linesep} ")
        return f"{self.name}: {lines}{policy.linesep}"  # type: ignore[attr-defined]


class _Subject(UnstructuredHeader):
    """A line of text, encoded as a whole: the library loses spaces where it encodes word by word."""

    def fold(self, *, policy: Any) -> str:
        text = str(self)
        written = (
            text if text.isascii() else Header(text, "utf-8", header_name="Subject").encode(linesep=policy.linesep)
        )
        return f"Subject: {written}{policy.linesep}"


@cache
def _policy() -> Any:
    registry = HeaderRegistry()
    registry.map_to_type("subject", _Subject)  # type: ignore[arg-type]
    for name in ("message-id", "in-reply-to", "references", "list-unsubscribe"):
        registry.map_to_type(name, _Verbatim)  # type: ignore[arg-type]
    return SMTP.clone(header_factory=registry)


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    file = resources.files(__package__).joinpath("templates", "mail.html")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(file.read_text(encoding="utf-8"))
