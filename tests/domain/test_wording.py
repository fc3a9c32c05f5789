"""Wording: what a message to a customer may say and ask; measured on drafts by authors who had not seen the rules."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestration_project.domain.claims import Facts, Strangers
from orchestration_project.domain.plain_words import ABOUT
from orchestration_project.domain.texts import folded
from orchestration_project.domain.vocabulary import LANGUAGES
from orchestration_project.domain.wording import plain_words, wrong_wording
from tests.domain.seeded import EVERYBODY, Customer, claims

HARMLESS = {
    "en": ("A question", "We noticed this.", "Has something changed?"),
    "de": ("Eine Frage", "Uns ist das aufgefallen.", "Hat sich etwas verändert?"),
    "fr": ("Une question", "Nous avons remarqué cela.", "Est-ce que cela a changé ?"),
}
FACTS = Facts({
    "customer_name": "Grafald SA", "decline_pct": 41.6, "days_since_use": 3, "active_days_30d": 12, "window_days": 30,
    "tickets_open": 4, "tickets_30d": 9,
})  # fmt: skip


@cache
def drafts(kind: str) -> list[dict[str, Any]]:
    """Drafts by authors of whom none had seen the verifier: `true` and `false` ones, and `hard` ones."""
    file = Path(__file__).with_name("wording") / f"{kind}.yaml"
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def problems(draft: dict[str, Any]) -> tuple[str, ...]:
    parts = (draft["subject"], draft["noticed"], draft["question"])
    return wrong_wording(*parts, Facts(draft["facts"]), draft["language"], draft["factor"], EVERYBODY)


def said(noticed: str, question: str = "Has something changed?", factor: str = "usage_decline", **more: Any) -> Any:
    """What is wrong with English parts."""
    facts = Facts({**FACTS.values, **more.get("facts", {})}, more.get("promises", frozenset()))
    return wrong_wording("A question", noticed, question, facts, "en", factor, more.get("strangers", Strangers()))


def test_at_least_98_of_100_false_drafts_are_stopped() -> None:
    passed = [draft for draft in drafts("false") if not problems(draft)]
    assert len(drafts("false")) == 200
    assert len(passed) <= 4, passed


def test_at_least_95_of_100_true_drafts_pass() -> None:
    stopped = [(draft, wrong) for draft in drafts("true") if (wrong := problems(draft))]
    assert len(drafts("true")) == 200
    assert len(stopped) <= 10, stopped


def test_who_wants_to_can_say_something_false_in_listed_words_and_mostly_fails() -> None:
    """A known limit, of drafts that were made to find the holes; docs/agents.md says what follows from it."""
    passed = [draft for draft in drafts("hard") if not problems(draft)]
    assert len(drafts("hard")) == 60
    assert len(passed) <= 19, passed


def test_at_least_98_of_100_false_claims_in_any_message_are_stopped() -> None:
    """Whatever the message is about: its words are those of its factor."""
    passed, count = Counter[str](), 0
    for language in LANGUAGES:
        subject, noticed, question = HARMLESS[language]
        told = [(kind, claim) for kind, each in claims()[language].items() for claim in each]
        for seed, (kind, claim) in enumerate(told):
            customer, count = Customer(seed), count + 1
            text = customer.filled(claim, language)
            parts = (subject, noticed, text) if text.endswith("?") else (subject, text, question)
            if not all(wrong_wording(*parts, customer.facts, language, about, EVERYBODY) for about in ABOUT):
                passed[kind] += 1
    assert count > 1300
    assert passed.total() <= 0.02 * count, passed


@given(word=st.text(st.characters(categories=["L"]), min_size=2, max_size=12), place=st.integers(0, 3), data=st.data())
def test_a_word_that_is_not_listed_is_found_wherever_it_stands(word: str, place: int, data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(LANGUAGES))
    factor = data.draw(st.sampled_from(sorted(ABOUT)))
    asked = plain_words(language, factor, frozenset(), asked=True)
    assume(list(asked.strange_in(folded(f" {word} "))))
    parts = list(HARMLESS[language])
    part = data.draw(st.integers(0, 2))
    said = parts[part].split(" ")
    parts[part] = " ".join([*said[:place], word, *said[place:]]) if place < len(said) else f"{word} {parts[part]}"
    assert wrong_wording(*parts, FACTS, language, factor, Strangers())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("factor", ABOUT)
def test_what_is_harmless_passes_whatever_it_is_about(language: str, factor: str) -> None:
    assert wrong_wording(*HARMLESS[language], FACTS, language, factor, Strangers()) == ()


@pytest.mark.parametrize(
    ("noticed", "wrong"),
    [
        ("Usage fell by 42 % in the last 30 days.", ()),
        ("Usage fell by 43 %.", ("number '43'", "number '43' of a share")),
        ("Usage fell by 12 %.", ("number '12' of a share",)),
        ("Your team was active on 12 of the last 30 days.", ()),
        ("In the last 12 days usage fell.", ("number '12' of the latest days",)),
        ("Your team had 3 active days.", ("number '3' of active days",)),
        ("Usage fell a lot.", ("word 'lot'",)),
        ("Usage at Novlia fell.", ("word 'novlia'",)),
        ("Usage at Grafald fell.", ("word 'grafald'",)),
        ("Usage at Grafald SA's team fell.", ()),
        ("We credit you.", ("word 'credit'",)),
        ("We will use less.", ("word 'will'",)),
        ("Usage fell, see example.com", ("address 'example.com'", "word 'example'", "word 'com'")),
        ("Usage fell. Why?", ("question in the statement",)),
        ("Usage fell\u202e.", ("control or invisible characters",)),
        ("We would use the product.", ("word 'would'",)),
        ("We would like to know what has changed.", ()),
    ],
)
def test_a_statement_says_what_the_facts_do_in_plain_words(noticed: str, wrong: tuple[str, ...]) -> None:
    assert said(noticed) == wrong


@pytest.mark.parametrize(
    ("question", "wrong"),
    [
        ("What would help?", ()),
        ("We credit you, would that help?", ("word 'credit'",)),
        ("Would it help. Is it useful?", ("question that is not one question alone",)),
        ("What would help", ("question that is not one question alone", "word 'would'", "word 'help'")),
        ("", ("text is empty", "question is empty", "question that is not one question alone")),
    ],
)
def test_a_question_is_one_and_only_asks(question: str, wrong: tuple[str, ...]) -> None:
    assert set(said("Usage fell.", question)) == set(wrong)


def test_tickets_that_are_open_and_those_of_a_month_are_counts_of_tickets_and_days_are_not() -> None:
    about = {"factor": "support_tickets"}
    assert said("You opened 9 tickets, and 4 are open.", **about) == ()
    assert said("You opened 30 tickets.", **about) == ("number '30' of tickets",)


def test_the_words_of_a_factor_are_not_those_of_another() -> None:
    assert said("An invoice is open.", factor="payment_issues") == ()
    assert said("An invoice is open.", factor="context") == ("word 'invoice'", "word 'open'")


def test_what_a_play_may_promise_may_be_said() -> None:
    text = "We can offer you a discount."
    assert "word 'discount'" in said(text)
    assert said(text, promises=frozenset({"discount"})) == ()
    assert "word 'discount'" in said(text, promises=frozenset({"refund"}))


@pytest.mark.parametrize("name", ["Refund Guaranteed", "9,999 open tickets", "Free of charge", "Novlia AB"])
def test_a_name_that_says_something_is_looked_at_though_it_is_a_fact(name: str) -> None:
    others = Strangers(frozenset({"Novlia AB"}))
    found = said("Usage fell.", facts={"contact_name": name}, strangers=others)
    assert bool(found) is (name != "Novlia AB"), "who has the same name as another is not a stranger"


def test_the_name_of_another_customer_is_told_even_where_its_words_are_plain() -> None:
    others = Strangers(frozenset({"Quiet Team"}))
    assert said("Usage at Quiet Team fell.", strangers=others) == ("name 'Quiet Team'",)


def test_what_is_too_long_or_in_a_language_without_words_is_not_let_through() -> None:
    assert "statement of more than 600 characters" in said("Usage fell. " * 60)
    parts = HARMLESS["en"]
    assert wrong_wording(*parts, FACTS, "es", "context", Strangers())[0].startswith("language 'es' can't be verified")
