"""Response: what mails are that real servers and people send back, and that hostile ones do no harm."""

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration_project.operations.channel import Message
from orchestration_project.operations.mail import Letterhead, composed
from orchestration_project.operations.response import LARGEST, Response, classified

OURS = "<0123456789abcdef@health.example>"
SECONDS = 3.0
"""Time that the worst mail may take."""


def mail(body: str = "Thank you, all is well.", **headers: str | None) -> bytes:
    """A reply of a person, but for the headers that a test says; underscores are hyphens."""
    told: dict[str, str | None] = {
        "Received": "from mx by health.example; Wed, 25 Nov 2026 10:15:00 +0200",
        "Message_ID": "<reply-1@customer.example>", "In_Reply_To": OURS, "From": "Bo Berg <bo@customer.example>",
        "To": "ana@health.example", "Subject": "Re: How is it going?", "Date": "Wed, 25 Nov 2026 08:14:00 +0000",
    }  # fmt: skip
    lines = [f"{name.replace('_', '-')}: {each}" for name, each in (told | headers).items() if each is not None]
    return "\r\n".join([*lines, "", body]).encode("utf-8", "surrogateescape")


def report(kind: str, *parts: tuple[str, str], **headers: str | None) -> bytes:
    """A report of a mail server."""
    body = "".join(f"--b\r\nContent-Type: {type_}\r\n\r\n{content}\r\n" for type_, content in parts)
    told: dict[str, str | None] = {
        "From": "MAILER-DAEMON@mx.example", "In_Reply_To": None, "Message_ID": "<report-1@mx.example>",
        "Content_Type": f'multipart/report; report-type={kind}; boundary="b"',
    }  # fmt: skip
    return mail(f"{body}--b--\r\n", **told | headers)


def bounce(action: str = "failed", status: str = "5.1.1", original: str = "text/rfc822-headers") -> bytes:
    fields = (
        "Reporting-MTA: dns; mx.example\r\nArrival-Date: Wed, 25 Nov 2026 08:00:00 +0000\r\n\r\n"
        f"Final-Recipient: rfc822; Bo@Customer.example\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <bo@customer.example>: Recipient address rejected"
    )
    sent = f"Message-ID: {OURS}\r\nTo: bo@customer.example\r\nSubject: How is it going?\r\n\r\n"
    return report(
        "delivery-status", ("text/plain", "I'm sorry."), ("message/delivery-status", fields), (original, sent)
    )


def read(raw: bytes) -> Response:
    found = classified(raw)
    assert found is not None
    return found


def test_a_reply_is_told_whole() -> None:
    body = "Thank you, all is well.\r\n\r\nOn Tue, Ana wrote:\r\n> Hello,\r\n"
    assert classified(mail(body)) == Response(
        "reply", "<reply-1@customer.example>", OURS, "bo@customer.example",
        datetime(2026, 11, 25, 8, 15, tzinfo=UTC), "Thank you, all is well.",
    )  # fmt: skip


def test_what_was_sent_is_found_again_in_the_answer_to_it() -> None:
    head = Letterhead("ana@health.example", "Ana")
    message = Message("1", "k1", "email", "bo@customer.example", {"subject": "s", "body": "b"})
    own = composed(message, head, datetime.now(UTC))["Message-ID"]
    assert read(mail(In_Reply_To=own)).in_reply_to == own
    assert read(mail(In_Reply_To=None, References=f"<x@y.example>\r\n {own}")).in_reply_to == own


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        ("> Is all well?\r\n\r\nYes.\r\n", "Yes."), ("Oui.\r\nLe 24 nov. 2026 à 10:00, Ana a écrit :\r\n> x", "Oui."),
        ("Ja.\r\n-----Ursprüngliche Nachricht-----\r\nx", "Ja."), ("a\u202eb\x00c", "ab c"),
        ("x" * 900, "x" * 499 + "…"),
    ],
)  # fmt: skip
def test_an_excerpt_is_one_short_line_of_what_was_written_anew(body: str, excerpt: str) -> None:
    assert read(mail(body)).excerpt == excerpt


def test_html_is_read_as_text_and_attachments_are_not_read() -> None:
    html = "<style>p {}</style><p>All&nbsp;<b>well</b></p><script>alert(1)</script>"
    assert read(mail(html, Content_Type="text/html")).excerpt == "All well"
    body = (
        '--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="x"\r\n\r\nsecret\r\n'
        "--b\r\nContent-Type: text/plain; charset=latin-1\r\nContent-Transfer-Encoding: base64\r\n\r\nR3L832U=\r\n--b--"
    )
    assert read(mail(body, Content_Type='multipart/mixed; boundary="b"')).excerpt == "Grüße"


@pytest.mark.parametrize("original", ["text/rfc822-headers", "message/rfc822"])
def test_a_bounce_tells_which_message_and_whose_mailbox(original: str) -> None:
    found = read(bounce(original=original))
    assert (found.kind, found.in_reply_to, found.address) == ("bounce_hard", OURS, "Bo@customer.example")
    assert found.source_id == "<report-1@mx.example>"
    assert "Recipient address rejected" in found.excerpt


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("failed", "5.1.1", "bounce_hard"), ("failed", "5.0.0", "bounce_hard"), ("Failed", "", "bounce_hard"),
        ("failed", "5.2.2", "bounce_soft"), ("failed", "5.7.1", "bounce_soft"), ("failed", "4.4.7", "bounce_soft"),
        ("delayed", "4.4.1", "bounce_soft"), ("delayed", "5.1.1", "bounce_soft"), ("delivered", "2.0.0", None),
        ("relayed", "2.0.0", None),
    ],
)  # fmt: skip
def test_a_bounce_is_hard_where_the_address_is_no_good(action: str, status: str, kind: str | None) -> None:
    found = classified(bounce(action, status))
    assert (found and found.kind) == kind


def test_a_mail_server_that_writes_in_its_own_words_is_no_reply() -> None:
    assert read(mail("I couldn't deliver it.", From="MAILER-DAEMON@mx.example")).kind == "bounce_soft"
    assert read(mail("Undeliverable", Return_Path="<>", From="system@mx.example")).kind == "bounce_soft"


@pytest.mark.parametrize(("told", "kind"), [("abuse", "complaint"), ("fraud", "complaint"), ("not-spam", None)])
def test_a_complaint_tells_who_about_what(told: str, kind: str | None) -> None:
    fields = f"Feedback-Type: {told}\r\nVersion: 1\r\nOriginal-Rcpt-To: <bo@customer.example>"
    sent = f"Message-ID: {OURS}\r\nTo: someone@else.example\r\n\r\nHello"
    raw = report("feedback-report", ("text/plain", "x"), ("message/feedback-report", fields), ("message/rfc822", sent))
    found = classified(raw)
    assert (found and found.kind) == kind
    if found:
        assert (found.in_reply_to, found.address) == (OURS, "bo@customer.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"}, {"Auto_Submitted": "auto-generated; x"}, {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"}, {"Subject": "Automatic reply: How is it going?"},
        {"Subject": "=?utf-8?q?R=C3=A9ponse_automatique?="}, {"Subject": "Abwesenheitsnotiz"},
        {"Auto_Submitted": "auto-replied", "Return_Path": "<>"},
    ],
)  # fmt: skip
def test_an_answering_machine_is_no_person(headers: Any) -> None:
    assert read(mail(**headers)).kind == "auto_reply"
    assert read(mail(Auto_Submitted="no")).kind == "reply"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("unsubscribe", ""), (f"unsubscribe {OURS}", ""), ("Re: Abmelden", "x"), ("Désabonner", ""),
        ("Re: How is it going?", "STOP\r\n"), ("Re: x", "Please unsubscribe me.\r\n\r\nOn Tue, Ana wrote:\r\n> x"),
    ],
)  # fmt: skip
def test_who_wants_no_more_is_understood(subject: str, body: str) -> None:
    found = read(mail(body, Subject=subject))
    assert (found.kind, found.address, found.in_reply_to) == ("unsubscribe", "bo@customer.example", OURS)


def test_the_mail_that_our_header_makes_programs_write_names_the_message_by_itself() -> None:
    assert read(mail("", Subject=f"unsubscribe {OURS}", In_Reply_To=None)).in_reply_to == OURS


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Re: How is it going?", "The export stopped working"), ("Stop losing data", "it fails"),
        ("How do users unsubscribe from your alerts?", "x"),
    ],
)  # fmt: skip
def test_who_only_uses_the_word_is_a_reply(subject: str, body: str) -> None:
    assert read(mail(body, Subject=subject)).kind == "reply"


@pytest.mark.parametrize("headers", [{"List_Id": "<news.example>"}, {"Precedence": "bulk"}])
def test_newsletters_and_notices_of_reading_are_no_answers(headers: Any) -> None:
    assert classified(mail(**headers)) is None
    read_notice = ("message/disposition-notification", "Disposition: manual-action; displayed")
    assert classified(report("disposition-notification", read_notice)) is None


def test_a_mail_without_a_usable_id_is_known_by_its_content() -> None:
    for each in (None, "", "<x y@z>", "<" + "x" * 5000 + "@y.example>"):
        raw = mail(Message_ID=each)
        assert read(raw).source_id == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ({"Received": None}, datetime(2026, 11, 25, 8, 14, tzinfo=UTC)),
        ({"Received": "no date", "Date": "Wed, 25 Nov 2026 08:14:00 -0000"}, datetime(2026, 11, 25, 8, 14, tzinfo=UTC)),
        ({"Received": None, "Date": "yesterday"}, None), ({"Received": None, "Date": "1 Jan 99999 00:00 +0000"}, None),
    ],
)  # fmt: skip
def test_a_time_is_told_or_unknown(headers: Any, at: datetime | None) -> None:
    assert read(mail(**headers)).received_at == at


@pytest.mark.parametrize(
    ("who", "address"),
    [
        ("=?utf-8?q?eve=40evil=2Eexample=2C?= <bo@customer.example>", "bo@customer.example"), ("nobody", None),
        ('"eve@evil.example" <bo@customer.example>', "bo@customer.example"), ("<bo@customer.example\0>", None),
    ],
)  # fmt: skip
def test_a_name_cannot_pose_as_an_address(who: str, address: str | None) -> None:
    assert read(mail(From=who)).address == address


def _nested(depth: int) -> bytes:
    lines = [f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}' for n in range(depth)]
    return b"From: bo@customer.example\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\nx"


STATUS = "message/delivery-status"
HTML = "text/html"
HOSTILE = {
    "nothing": b"",
    "zeros": b"\0" * 10_000,
    "no headers": b"\r\n\r\nx",
    "huge": mail("x" * 30_000_000),
    "huge header": mail(Subject="x" * 2_000_000),
    "many headers": b"X: y\r\n" * 200_000 + mail(),
    "nested": _nested(5000),
    "many parts": mail("--b\r\n\r\nx\r\n" * 100_000, Content_Type="multipart/mixed; boundary=b"),
    "many addresses": mail(From="a@b.example, " * 50_000),
    "open brackets": mail(From='"(' * 50_000),
    "encoded": mail(Subject="=?utf-8?q?" + "=0D=0ABcc: e" * 5000 + "?="),
    "charset": mail(Content_Type="text/plain; charset=x\0y"),
    "broken base64": mail("=" * 100_001, Content_Transfer_Encoding="base64"),
    "uuencoded": mail("begin 666 x\r\n\xff" * 900, Content_Transfer_Encoding="x-uuencode"),
    "open tags": mail("<" * 200_000, Content_Type=HTML),
    "declarations": mail("<![" * 9000 + "<!x" * 9000, Content_Type=HTML),
    "report of nothing": report("delivery-status"),
    "report of zeros": report("delivery-status", (STATUS, "\0\0")),
    "report of reports": report("delivery-status", *[(STATUS, "Action: x\r\n\r\n" * 90)] * 900),
    "inner mail": report("delivery-status", ("message/rfc822", "From: x\r\n\r\n" * 9000), (STATUS, "Action: failed")),
    "references": mail(In_Reply_To="<" * 100_000, References="<a@" * 100_000),
    "bytes": bytes(range(256)) * 400,
    "charset of header": mail(Subject="=?x-unknown?q?=FF?= =?utf-8?b?/?="),
    "no text": mail(From="\udcff\udcfe@x", Subject="\udcff"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_mail_is_read_quickly_and_without_harm(kind: str) -> None:
    start = time.perf_counter()
    found = classified(HOSTILE[kind])
    assert time.perf_counter() - start < SECONDS
    if found:
        assert len(found.excerpt) <= 500 and len(found.source_id) <= 320 and found.excerpt.isprintable()


def test_what_comes_after_the_first_part_of_a_huge_mail_does_not_matter() -> None:
    assert read(mail("All is well.\r\n> " + "x" * 3 * LARGEST)).excerpt == "All is well."


SAMPLES = [mail(), bounce(), bounce(original="message/rfc822"), mail("<p>x", Content_Type=HTML)]


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=8),
)
def test_whatever_is_done_to_a_mail_it_can_be_judged(sample: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for place, cut, put in edits:
        sample = sample[:place] + put + sample[place + cut :]
    found = classified(sample)
    assert found is None or isinstance(found, Response)


@given(st.binary(max_size=2000))
def test_whatever_bytes_come_they_can_be_judged(raw: bytes) -> None:
    classified(raw)
