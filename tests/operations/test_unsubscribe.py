"""Unsubscribe: one click suffices, looking does nothing, and nobody else's link can be made."""

import string
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestration_project.operations.unsubscribe import Reader, Tokens, WeakSecret, application, link

TOKENS = Tokens("a secret for tests")
READER = Reader("C1", "bo@customer.example")
CODE = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
"""Digits of base64, of which the last of a signature has two bits that say nothing."""
URL = f"/unsubscribe/{TOKENS.token(READER)}"


@pytest.fixture
def done() -> list[Reader]:
    return []


@pytest.fixture
def client(done: list[Reader]) -> Iterator[TestClient]:
    with TestClient(application(TOKENS, done.append)) as opened:
        yield opened


def test_opening_the_link_asks_and_changes_nothing(client: TestClient, done: list[Reader]) -> None:
    answer = client.get(URL)
    assert answer.status_code == 200
    assert "bo@customer.example" in answer.text and '<form method="post">' in answer.text
    assert client.head(URL).status_code == 200
    assert done == []
    assert answer.headers["referrer-policy"] == "no-referrer" and answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("data", [{"List-Unsubscribe": "One-Click"}, {}])
def test_one_click_of_a_mail_program_or_on_the_button_suppresses_at_once(
    client: TestClient, done: list[Reader], data: Any
) -> None:
    answer = client.post(URL, data=data)
    assert (answer.status_code, done) == (200, [READER])
    assert "Unsubscribed" in answer.text and "<form" not in answer.text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url[:-1] + ("A" if url[-1] != "A" else "B"), lambda url: url[:-5], lambda url: url + "A",
        lambda url: url[:-1] + CODE[CODE.index(url[-1]) ^ 1],
        lambda url: url.replace(".", "", 1), lambda url: url.partition(".")[0], lambda url: f"{url}.x",
        lambda url: "/unsubscribe/" + Tokens("another secret for tests").token(READER), lambda url: "/unsubscribe/ü",
        lambda url: "/unsubscribe/" + "A" * 5000, lambda url: "/unsubscribe/..x",
    ],
)  # fmt: skip
def test_a_link_that_was_tampered_with_is_refused(
    client: TestClient, done: list[Reader], spoil: Callable[[str], str]
) -> None:
    assert client.get(spoil(URL)).status_code == 400
    assert client.post(spoil(URL)).status_code == 400
    assert done == []


def test_nobody_is_told_that_they_are_unsubscribed_when_they_are_not() -> None:
    def fails(_: Reader) -> None:
        raise OSError("the store is away")

    with TestClient(application(TOKENS, fails), raise_server_exceptions=False) as client:
        answer = client.post(URL)
    assert answer.status_code == 500 and "Unsubscribed" not in answer.text


def test_an_address_is_text_on_the_page(client: TestClient) -> None:
    token = TOKENS.token(Reader("C1", "<script>alert(1)</script>@b.example"))
    assert "<script>" not in client.get(f"/unsubscribe/{token}").text


def test_the_page_may_stand_at_another_path_and_links_lead_to_it(done: list[Reader]) -> None:
    made = link("https://health.example/mail/stop/", TOKENS)("C1", "bo@customer.example")
    assert made.startswith("https://health.example/mail/stop/") and "//" not in made[8:]
    with TestClient(application(TOKENS, done.append, "/mail/stop/")) as client:
        assert client.post(made.removeprefix("https://health.example")).status_code == 200
    assert done == [READER]


def test_a_weak_secret_is_refused() -> None:
    with pytest.raises(WeakSecret):
        Tokens("short")


@given(customer=st.text(st.characters(exclude_categories=["Cs"])), address=st.emails(), flip=st.integers(0, 10_000))
def test_a_token_tells_who_it_was_made_for_and_any_change_is_noticed(customer: str, address: str, flip: int) -> None:
    reader = Reader(customer, address)
    token = TOKENS.token(reader)
    assert TOKENS.reader(token) == reader
    place = flip % len(token)
    for other in "Ab0-_.":
        if token[place] != other:
            assert TOKENS.reader(token[:place] + other + token[place + 1 :]) is None
