"""The fact verifier, on true mails and false claims; every set was measured before the verifier was mended by it.

docs/agents.md says what each set gave when it was new: that is the figure to expect of a text that nobody has seen.
"""

import random
from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel.dates import format_date
from babel.numbers import format_decimal

from orchestration_project.domain.claims import Facts, Strangers, wrong_claims

CORPORA = sorted(Path(__file__).with_name("claims").glob("*.yaml"))
UNSEEN = Path(__file__).parent / "claims" / "unseen"
COMPANIES = ("Paxcento Labs", "Grafald SA", "Hülnexo GmbH", "Møltavo & Co", "Corstra Group", "Délrün Inc", "Novlia AB",
             "Kesmira Ltd")  # fmt: skip
PEOPLE = ("Björn Costano", "Chloé Ilves", "Kofi Ekeland", "Júlia Bråten", "Mateo Ló", "Hana Horva", "Elif Günel",
          "David Kowal")  # fmt: skip
OWNERS = ("Bo Marín", "Ada Lindqvist", "Dana Weiß", "Farid Haddad")
PLANS = ("starter", "growth", "scale", "enterprise")
EVERYBODY = Strangers(frozenset((*COMPANIES, *PEOPLE, *OWNERS)), frozenset(PLANS))


class Customer:
    """Seeded facts of one customer, and those that are not its own."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        company, other = chance.sample(COMPANIES, 2)
        person, stranger = chance.sample(PEOPLE, 2)
        owner, other_owner = chance.sample(OWNERS, 2)
        plan, other_plan = chance.sample(PLANS, 2)
        numbers = chance.sample([n for n in range(3, 99) if n != 30], 8)
        names = ("decline_pct", "days_since_use", "active_days_30d", "tickets_open", "tickets_30d", "overdue_days")
        self.truth: dict[str, Any] = dict(zip(names, numbers, strict=False)) | {
            "customer_name": company, "contact_name": person, "owner": owner, "plan": plan, "window_days": 30,
            "overdue_amount": round(chance.uniform(20, 3000), 2),
            "renewal_date": date(2027, chance.randint(1, 12), chance.randint(1, 28)),
        }  # fmt: skip
        self.wrong = {
            "wrong_number": numbers[6], "other_plan": other_plan, "other_customer": other, "other_contact": stranger,
            "other_owner": other_owner,
        }  # fmt: skip

    def filled(self, text: str, language: str) -> str:
        shown = self.truth | self.wrong
        shown["renewal_date"] = format_date(self.truth["renewal_date"], "long", locale=language)
        shown["overdue_amount"] = format_decimal(self.truth["overdue_amount"], "#,##0.00", locale=language)
        return text.format(**shown)

    @property
    def facts(self) -> Facts:
        return Facts(self.truth)


@cache
def corpus(file: Path) -> Mapping[str, list[dict[str, str]]]:
    found: Mapping[str, list[dict[str, str]]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def true_mail(customer: Customer, mail: Mapping[str, str]) -> tuple[str, str]:
    return tuple(customer.filled(mail[part], mail["language"]) for part in ("subject", "body"))  # type: ignore[return-value]


def wrongly_stopped(file: Path) -> list[tuple[str, tuple[str, ...]]]:
    """True mails that were stopped, of 200 or as many as there are."""
    mails = corpus(file)["mails"]
    found = []
    for seed in range(max(200, len(mails))):
        mail, customer = mails[seed % len(mails)], Customer(seed)
        wrong = wrong_claims(*true_mail(customer, mail), customer.facts, mail["language"], EVERYBODY)
        if wrong:
            found.append((f"{mail['language']} {mail['factor']} #{seed % len(mails)}", wrong))
    return found


def wrongly_passed(file: Path) -> list[str]:
    """False claims, each put into the middle of a true mail of its language, that were let through."""
    claims, found = corpus(file)["claims"], []
    for seed in range(max(200, len(claims))):
        claim, customer = claims[seed % len(claims)], Customer(1000 + seed)
        hosts = [mail for mail in corpus(file)["mails"] if mail["language"] == claim["language"]]
        subject, body = true_mail(customer, hosts[seed % len(hosts)])
        lines = body.split("\n")
        lines.insert(max(1, len(lines) // 2), customer.filled(claim["sentence"], claim["language"]))
        if not wrong_claims(subject, "\n".join(lines), customer.facts, claim["language"], EVERYBODY):
            found.append(f"{claim['language']} {claim['kind']}: {claim['sentence']}")
    return found


@pytest.mark.parametrize("file", CORPORA, ids=lambda file: file.stem)
def test_at_least_98_of_100_false_claims_are_stopped(file: Path) -> None:
    passed = wrongly_passed(file)
    assert len(passed) <= 4, Counter(passed)


@pytest.mark.parametrize("file", CORPORA, ids=lambda file: file.stem)
def test_at_least_95_of_100_true_mails_pass(file: Path) -> None:
    stopped = wrongly_stopped(file)
    assert len(stopped) <= 10, stopped


def test_of_promises_that_it_was_not_mended_by_the_verifier_stops_more_than_half() -> None:
    """A known limit: there is no end of ways to promise something. docs/agents.md says what follows from it."""
    passed = wrongly_passed(UNSEEN / "promises.yaml")
    assert len(passed) <= 80, Counter(passed)


def test_of_texts_that_it_was_not_mended_by_it_tells_right_what_the_documentation_says() -> None:
    """The same limit, of texts whose author knew nothing of the verifier: 90 of 100 stopped, 85 of 100 passed."""
    passed, stopped = wrongly_passed(UNSEEN / "ninth.yaml"), wrongly_stopped(UNSEEN / "ninth.yaml")
    assert len(passed) <= 20, Counter(passed)
    assert len(stopped) <= 29, stopped
