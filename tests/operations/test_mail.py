"""Mail: what is composed can be read by any program, and nothing in it can pose as a header or another recipient."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from orchestration_project.domain import texts
from orchestration_project.domain.addresses import address
from orchestration_project.domain.texts import unseen
from orchestration_project.operations.channel import Message, PermanentFailure
from orchestration_project.operations.mail import Letterhead, composed, message_id
from orchestration_project.operations.unsubscribe import Tokens, link

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
PAGE = link("https://health.example/unsubscribe", Tokens("a secret for tests"))
HEAD = Letterhead("ana@health.example", "Ana Gómez, Müller & Söhne", "stop@health.example", PAGE)
HEADERS = {
    "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post",
    "MIME-Version", "Content-Type",
}  # fmt: skip


def message(to: str = "bo@customer.example", key: str = "k1", **payload: Any) -> Message:
    told = {"subject": "How is it going?", "body": "Hello,\n\nis all well?", "customer_id": "C1"}
    return Message("row-1", key, "email", to, {name: each for name, each in (told | payload).items() if each != ""})


def raw(head: Letterhead = HEAD, **told: Any) -> bytes:
    return composed(message(**told), head, NOW).as_bytes()


def read(head: Letterhead = HEAD, **told: Any) -> EmailMessage:
    """The message as another program reads it."""
    return message_from_bytes(raw(head, **told), policy=policy.default)  # type: ignore[return-value]


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_a_message_has_these_headers_and_two_parts_and_is_plain_ascii() -> None:
    mail = read(subject="Grüße", recipient_name="Zoë Ødegård", body="Grüße 🙂")
    assert set(mail.keys()) == HEADERS
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        '"Ana Gómez, Müller & Söhne" <ana@health.example>', "Zoë Ødegård <bo@customer.example>", "Grüße",
    )  # fmt: skip
    assert mail["Date"].datetime == NOW
    assert [each.get_content_type() for each in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert raw(subject="Grüße", body="Grüße 🙂").isascii()
    assert all(len(line) <= 998 for line in raw(body="x" * 5000).split(b"\r\n"))


def test_one_key_has_one_message_id_and_another_key_another() -> None:
    assert read()["Message-ID"] == read(subject="Another")["Message-ID"] == message_id("k1", HEAD)
    assert read(key="k2")["Message-ID"] != message_id("k1", HEAD)
    assert read()["Message-ID"].endswith("@health.example>") and "k1" not in read()["Message-ID"]


def test_readers_can_unsubscribe_with_one_click_by_mail_and_by_the_link_they_see() -> None:
    mail = read()
    url, mailto = [each.strip("<>") for each in mail["List-Unsubscribe"].split(", ")]
    assert url == PAGE("C1", "bo@customer.example")
    assert mailto.startswith("mailto:stop@health.example?subject=unsubscribe%20%3C")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert part(mail, "plain").endswith(f"\n\n-- \nUnsubscribe: {url}\n")
    assert f'<a href="{url}"' in part(mail, "html")
    assert f"Abmelden: {url}" in part(read(language="de"), "plain")


def test_long_links_are_not_encoded_which_no_program_would_understand() -> None:
    content = raw(customer_id="C" * 400)
    assert b"List-Unsubscribe: <https://health.example/unsubscribe/" in content
    assert b"=?utf-8?q?=3C" not in content


def test_without_a_page_there_is_no_one_click_and_colleagues_have_nothing_to_unsubscribe_from() -> None:
    by_mail = read(Letterhead("ana@health.example", "", "stop@health.example"))
    assert by_mail["List-Unsubscribe"].startswith("<mailto:") and by_mail["List-Unsubscribe-Post"] is None
    assert read(customer_id="")["List-Unsubscribe"] is None


def test_what_a_person_approved_is_not_called_automatic() -> None:
    assert read()["Auto-Submitted"] == "auto-generated"
    assert read(automatic=False)["Auto-Submitted"] is None


def test_an_answer_names_what_it_answers_and_ids_that_are_none_are_left_out() -> None:
    thread = ["<first@customer.example>", "<x>\r\nBcc: eve@evil.example", "<last" + "x" * 150 + "@customer.example>"]
    mail = read(thread=thread)
    assert mail["In-Reply-To"] == thread[2]
    assert mail["References"] == f"{thread[0]} {thread[2]}"


def test_text_is_text_in_html_and_its_paragraphs_and_lines_stay() -> None:
    html = part(read(body="<script>alert(1)</script>\nline two\n\nnext & last", subject="<b>"), "html")
    assert "<script>" not in html and "&lt;script&gt;alert(1)&lt;/script&gt;<br>line two</p>" in html
    assert ">next &amp; last</p>" in html and "<title>&lt;b&gt;</title>" in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "max-width: 600px" in html and "font: 16px" in html


@pytest.mark.parametrize(
    "to",
    [
        "", "bo", "@customer.example", "bo@", "bo@localhost", "a@b.example, c@d.example", "a@b.example c@d.example",
        "Bo <bo@customer.example>", "bo@customer.example\r\nBcc: eve@evil.example", "bo@customer.example\n",
        '"a b"@customer.example', "bo@customer.example>", "bo@[127.0.0.1]", "bo@127.0.0.1", "a@b@c.example",
        "bo@a..example",
        ".bo@customer.example", "bo(comment)@customer.example", "bö@customer.example",
        "bo@customer.example\u200b.evil.example",
        "bo@customer.example;c@d.example", "a" * 65 + "@customer.example", "bo@" + "a." * 130 + "example",
        "bo\0@customer.example",
    ],
)  # fmt: skip
def test_a_recipient_is_exactly_one_address(to: str) -> None:
    with pytest.raises(PermanentFailure, match="not one e-mail address"):
        raw(to=to)


def test_a_domain_beyond_ascii_is_written_as_mail_servers_know_it() -> None:
    assert read(to="bo@bücher.example")["To"] == "bo@xn--bcher-kva.example"


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "\u2028", "\u202e", "\u200b", "\ufeff", "\x7f", "\x85"])
def test_a_subject_with_what_breaks_lines_or_is_not_seen_is_refused(bad: str) -> None:
    with pytest.raises(PermanentFailure, match=r"subject holds the character U\+"):
        raw(subject=f"Hello{bad}Bcc: eve@evil.example")


def test_a_subject_that_would_be_taken_for_encoded_text_is_refused() -> None:
    with pytest.raises(PermanentFailure, match="subject holds '=\\?'"):
        raw(subject="=?utf-8?q?Hello=0D=0ABcc=3A_eve=40evil=2Eexample?=")


@pytest.mark.parametrize("bad", ["\0", "\x1b", "\u202e", "\u2066", "\u200b"])
def test_a_body_with_what_hides_text_is_refused(bad: str) -> None:
    with pytest.raises(PermanentFailure, match=r"body holds the character U\+"):
        raw(body=f"Hello{bad}there")


def test_a_body_may_have_windows_line_ends_tabs_and_joined_emoji() -> None:
    body = "one\r\n\ttwo 👩\u200d💻 ❤\ufe0f"
    assert part(read(body=body), "plain").startswith("one\n\ttwo 👩\u200d💻 ❤\ufe0f\n")


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"subject": ""}, "subject"), ({"body": ""}, "body"), ({"subject": "x" * 251}, "subject"),
        ({"thread": 3}, "thread"),
        ({"subject": "\ud800"}, "subject"), ({"body": "\ud800"}, "body"),
    ],
)  # fmt: skip
def test_a_payload_that_is_no_letter_is_refused_by_name_and_without_its_content(payload: Any, told: str) -> None:
    with pytest.raises(PermanentFailure, match=rf"message row-1: {told} does not fit") as raised:
        raw(**payload)
    assert "x" * 20 not in str(raised.value)


LINE = st.text(max_size=80)
HOSTILE = st.one_of(
    LINE, st.builds("{}{}{}".format, LINE, st.sampled_from(["\r\n", "\n", "\r", "\0", "\u2028", "=?utf-8?q?"]), LINE)
)


@given(subject=HOSTILE, name=HOSTILE, body=HOSTILE, customer=HOSTILE, key=HOSTILE, thread=st.lists(HOSTILE, max_size=3))
@example("a\r\nBcc: eve@evil.example", "x", "b", "c", "k", [])
@example(
    "=?utf-8?q?a=0D=0ABcc=3A_eve=40evil=2Eexample?=", "a\r\nBcc: e", "\r\n.\r\n", "\r\n", "\r\n", ["<a@b>\r\nX: y"]
)
def test_whatever_it_is_made_of_a_message_has_no_header_and_no_recipient_but_its_own(
    subject: str, name: str, body: str, customer: str, key: str, thread: list[str]
) -> None:
    told = {"subject": subject, "recipient_name": name, "body": body, "customer_id": customer, "thread": thread}
    try:
        content = raw(key=key.encode("utf-8", "ignore").decode(), **told)
    except PermanentFailure:
        hidden = unseen(subject) or unseen(body.replace("\r\n", "\n"), lines=True)
        assert not subject or not body or "=?" in subject or hidden
        return
    mail = message_from_bytes(content, policy=policy.default)
    assert set(mail.keys()) <= HEADERS | {"In-Reply-To", "References"}
    assert len(mail.keys()) == len(set(mail.keys()))
    assert mail["To"].addresses[0].addr_spec == "bo@customer.example" and len(mail["To"].addresses) == 1
    assert [found for _, found in getaddresses([message_from_bytes(content)["To"]])] == ["bo@customer.example"]
    assert (
        b"\r\n\r\n" in content
        and b"\n" not in content.replace(b"\r\n", b"")
        and b"\r" not in content.replace(b"\r\n", b"")
    )


SEEN = st.text(st.sampled_from("abc XYZ ,.'&-()äöüßéŁ Ø日本語привет🙂\"\\<>?;:@[]!%_"), min_size=1, max_size=240)


@given(subject=SEEN, name=SEEN.map(lambda text: text[:90]), body=SEEN)
@example("xxxGrüße aus Łódź: wie läuft es für Müller & Söhne mit dem neuen Bericht über Außenstände?", "Bo", "x")
def test_what_is_written_is_what_is_read(subject: str, name: str, body: str) -> None:
    assume(subject.strip() and "=?" not in subject)
    mail = read(subject=subject, recipient_name=name, body=body, customer_id="")
    assert mail["Subject"] == subject.strip()
    assert mail["To"].addresses[0].display_name == (texts.name(name) or "")
    assert part(mail, "plain") == f"{body}\n"


@given(st.text(max_size=60) | st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=30)) | st.emails())
def test_what_counts_as_an_address_is_one_for_the_library_too(text: str) -> None:
    found = address(text)
    if found is not None:
        assert [each for _, each in getaddresses([found])] == [found]
        assert found.isascii() and not set(found) & set(' \t\r\n\0<>,;:"()[]\\')
