"""Seeded customers: facts that texts are verified against, and what is not theirs."""

import random
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date
from babel.numbers import format_decimal

from orchestration_project.domain.claims import Facts, Strangers

COMPANIES = ("Paxcento Labs", "Grafald SA", "Hülnexo GmbH", "Møltavo & Co", "Corstra Group", "Délrün Inc", "Novlia AB",
             "Kesmira Ltd")  # fmt: skip
PEOPLE = ("Björn Costano", "Chloé Ilves", "Kofi Ekeland", "Júlia Bråten", "Mateo Ló", "Hana Horva", "Elif Günel",
          "David Kowal")  # fmt: skip
OWNERS = ("Bo Marín", "Ada Lindqvist", "Dana Weiß", "Farid Haddad")
PLANS = ("starter", "growth", "scale", "enterprise")
EVERYBODY = Strangers(frozenset((*COMPANIES, *PEOPLE, *OWNERS)), frozenset(PLANS))
Claims = Mapping[str, Mapping[str, list[str]]]


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
        """A text with its placeholders filled by what is and what is not the customer's."""
        shown = self.truth | self.wrong
        shown["renewal_date"] = format_date(self.truth["renewal_date"], "long", locale=language)
        shown["overdue_amount"] = format_decimal(self.truth["overdue_amount"], "#,##0.00", locale=language)
        return text.format(**shown)

    @property
    def facts(self) -> Facts:
        return Facts(self.truth)


@cache
def claims() -> Claims:
    """False claims by language and kind."""
    found: Claims = yaml.safe_load(Path(__file__).with_name("wording").joinpath("claims.yaml").read_text("utf-8"))
    return found
