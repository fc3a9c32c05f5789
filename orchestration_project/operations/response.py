"""Response: what a mail that came back is: a reply, bounce, automatic answer, complaint or wish to unsubscribe."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parsedate_to_datetime
from html.parser import HTMLParser
from typing import Literal

from orchestration_project.domain import texts
from orchestration_project.domain.addresses import address

Kind = Literal["reply", "bounce_hard", "bounce_soft", "auto_reply", "unsubscribe", "complaint"]

LARGEST = 256 * 1024
"""Bytes that are looked at; what matters comes first, and attachments come last."""
MOST_PARTS, LONGEST_TEXT, LONGEST_HEADER = 50, 50_000, 2000
MESSAGE_ID = re.compile(r"<[^\s<>@]{1,180}@[^\s<>@]{1,120}>", re.ASCII)
TEMPORARY = ("5.2.2", "5.3.4", "5.7.")
"""Permanent failures of a message that say nothing against its address: mailbox full, message too big, policy."""
_UNSUBSCRIBE = re.compile(
    r"(re: *|please )?(unsubscribe|abmelden|abbestellen|(se )?d[ée]sabonner|d[ée]sinscription|stop)"
    r"( me)?( please)?( *<[^<>]*>)?[.! ]*",
    re.IGNORECASE,
)
_AUTOMATIC = re.compile(
    r"(automatic reply|auto-?reply|out of( the)? office|automatische antwort|abwesenheit|réponse automatique)",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"^(>|-----|_____|On .{5,200} wrote:|Am .{5,200} schrieb|Le .{5,200} a écrit)", re.MULTILINE)


@dataclass(frozen=True)
class Response:
    """What came back, as far as it tells."""

    kind: Kind
    source_id: str
    """The mail's own Message-ID, or the hash of a mail without one: the same mail is the same response."""
    in_reply_to: str | None
    """Message-ID of what it is about. Anybody can write anything: believe only what was sent."""
    address: str | None
    """Who replied, whose mailbox bounced, who complained or wants no more."""
    received_at: datetime | None
    """When the last server on its way says it came, aware, in UTC."""
    excerpt: str


def classified(message: bytes) -> Response | None:
    """What a mail is; None for what is no answer to anything, such as newsletters and notices of delivery.

    Never raises: a mail that can't be understood is judged by its headers.
    """
    mail = _parsed(message[:LARGEST])
    told = _report(mail) if mail.get_content_type() == "multipart/report" else None
    if told is None and _of_a_list(mail):
        return None
    kind, reply_to, who, excerpt = told or _written(mail)
    if kind is None:
        return None
    return Response(kind, _source_id(mail, message), reply_to, who, _received(mail), texts.clean(excerpt))


_Told = tuple[Kind | None, str | None, str | None, str]
"""Kind, Message-ID that it is about, address, excerpt."""
_NOTHING: _Told = (None, None, None, "")


def _parsed(message: bytes) -> Message:
    try:
        return message_from_bytes(message)
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return BytesHeaderParser().parsebytes(message)


def _report(mail: Message) -> _Told | None:
    """What a report of another mail server says; None where it is a report of another kind."""
    parts = list(_parts(mail))
    original = _original(parts)
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            return _complaint(_fields(part), original)
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status"):
            return _bounce(_fields(part), original)
        if part.get_content_type() == "message/disposition-notification":
            return _NOTHING
    return None


def _complaint(fields: Message, original: Message | None) -> _Told:
    """An Abuse Reporting Format report (RFC 5965)."""
    told = _header(fields, "Feedback-Type").lower()
    who = _addresses(fields, "Original-Rcpt-To") or _addresses(original, "To")
    kind: Kind | None = None if told == "not-spam" else "complaint"
    return kind, _own_id(original), _first(who), f"complaint: {told or 'of no kind'}"


def _bounce(fields: Message, original: Message | None) -> _Told:
    """A delivery status notification (RFC 3464); it is hard where the address is no good."""
    action, status = _header(fields, "Action").lower(), _header(fields, "Status")
    recipient = _header(fields, "Final-Recipient") or _header(fields, "Original-Recipient")
    who = address(recipient.rpartition(";")[2].strip().strip("<>")) or _first(_addresses(original, "To"))
    excerpt = f"{status} {_header(fields, 'Diagnostic-Code')}"
    if action in ("delivered", "relayed", "expanded"):
        return _NOTHING
    hard = action == "failed" and not status.startswith(("4", *TEMPORARY))
    return "bounce_hard" if hard else "bounce_soft", _own_id(original), who, excerpt


def _fields(part: Message) -> Message:
    """The fields of a report: those of all its blocks, where the first of a name counts."""
    fields = Message()
    for block in (_children(part) or [_parsed(_content(part))])[:MOST_PARTS]:
        for name, value in block.items():
            if name not in fields:
                fields[name] = str(value)
    return fields


def _original(parts: list[Message]) -> Message | None:
    """The mail that a report is about, or its headers."""
    for part in parts:
        if part.get_content_type() == "text/rfc822-headers":
            return _parsed(_content(part))
        if part.get_content_type() in ("message/rfc822", "message/global") and _children(part):
            return _children(part)[0]
    return None


def _written(mail: Message) -> _Told:
    """What a mail is that a person or an answering machine wrote."""
    subject, text = _header(mail, "Subject"), _own_words(_text(mail))
    who = _first(_addresses(mail, "From"))
    ids = MESSAGE_ID.findall(_header(mail, "In-Reply-To")) or MESSAGE_ID.findall(_header(mail, "References"))
    about = ids[-1] if ids else None
    wish = _UNSUBSCRIBE.fullmatch(subject.strip()) or _UNSUBSCRIBE.fullmatch(text.strip())
    if wish and not _automatic(mail, subject):
        named = MESSAGE_ID.findall(subject)
        return "unsubscribe", named[0] if named else about, who, subject
    if _from_a_machine(mail):
        return "bounce_soft", about, None, f"{subject} {text}"
    kind: Kind = "auto_reply" if _automatic(mail, subject) else "reply"
    return kind, about, who, text or subject


def _automatic(mail: Message, subject: str) -> bool:
    """Whether an answering machine wrote it (RFC 3834, and what is used in its place)."""
    told = _header(mail, "Auto-Submitted").lower().partition(";")[0].strip()
    return bool(
        told not in ("", "no")
        or mail.get("X-Autoreply")
        or mail.get("X-Autorespond")
        or _header(mail, "Precedence").lower() in ("auto_reply", "auto-reply")
        or _AUTOMATIC.match(subject.strip())
    )


def _from_a_machine(mail: Message) -> bool:
    """Whether a mail server wrote it, in words of its own."""
    who = (_first(_addresses(mail, "From")) or _header(mail, "From")).lower()
    nobody = _header(mail, "Return-Path").strip() == "<>" and not _automatic(mail, _header(mail, "Subject"))
    return nobody or who.startswith(("mailer-daemon", "postmaster@"))


def _of_a_list(mail: Message) -> bool:
    return bool(mail.get("List-Id") or _header(mail, "Precedence").lower() in ("bulk", "list", "junk"))


def _parts(mail: Message) -> Iterator[Message]:
    """The parts of a mail, of which there may be hostile numbers; an inner mail's own parts are not looked at."""
    waiting, seen = [mail], 0
    while waiting and seen < MOST_PARTS:
        part = waiting.pop(0)
        seen += 1
        yield part
        if part.get_content_maintype() == "multipart":
            waiting = _children(part)[:MOST_PARTS] + waiting


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _text(mail: Message) -> str:
    """The text that a mail has for reading; attachments are not looked at."""
    found: dict[str, Message] = {}
    for part in _parts(mail):
        if part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment":
            found.setdefault(part.get_content_type(), part)
    if "text/plain" in found:
        return _decoded(found["text/plain"])
    return _without_tags(_decoded(found["text/html"])) if "text/html" in found else ""


def _decoded(part: Message) -> str:
    content = _content(part)[:LONGEST_TEXT]
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _content(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AttributeError, TypeError):
        return b""
    return payload if isinstance(payload, bytes) else b""


class _Words(HTMLParser):
    """Collects what a reader of HTML sees."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self._hidden = tag in ("style", "script", "title")
        self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag not in ("style", "script", "title")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _without_tags(html: str) -> str:
    reader = _Words()
    try:
        reader.feed(html)
    except (AssertionError, ValueError):
        return ""
    return "".join(reader.words)


def _own_words(text: str) -> str:
    """A reply without what it quotes."""
    plain = text.replace("\r\n", "\n")
    before = _QUOTE.split(plain, maxsplit=1)[0]
    return before if before.strip() else "\n".join(line for line in plain.split("\n") if not line.startswith(">"))


def _header(mail: Message | None, name: str) -> str:
    """A header in readable form; empty where there is none."""
    told = _raw(mail, name)
    try:
        return str(make_header(decode_header(told)))
    except (HeaderParseError, LookupError, ValueError):
        return told


def _addresses(mail: Message | None, name: str) -> list[str]:
    """The addresses in a header, as it is written: names are decoded by nobody, so none can pose as an address."""
    try:
        listed = getaddresses([_raw(mail, name).rpartition(";")[2]])
    except RecursionError:
        return []
    return [found for _, each in listed if (found := address(each))]


def _raw(mail: Message | None, name: str) -> str:
    """A header as it is written, in UTF-8 where it should be ASCII; empty where there is none."""
    for each, value in mail.raw_items() if mail is not None else ():
        if each.lower() == name.lower():
            return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:LONGEST_HEADER]
    return ""


def _first(found: list[str]) -> str | None:
    return found[0] if found else None


def _own_id(mail: Message | None) -> str | None:
    return next(iter(MESSAGE_ID.findall(_header(mail, "Message-ID"))), None)


def _source_id(mail: Message, message: bytes) -> str:
    return _own_id(mail) or hashlib.sha256(message).hexdigest()


def _received(mail: Message) -> datetime | None:
    for told in (str(mail.get("Received", "")).rpartition(";")[2], str(mail.get("Date", ""))):
        try:
            time = parsedate_to_datetime(told.strip()[:100])
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
