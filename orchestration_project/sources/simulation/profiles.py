"""Profiles: who the customers are, as drawn once for all days. How they fare does not belong here."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration_project.sources.simulation.chance import Chance, Floats, Ints, Mask
from orchestration_project.sources.simulation.company import Company

SEGMENTS = ("smb", "mid_market", "enterprise")
PLANS = ("starter", "growth", "scale")
INDUSTRIES = ("software", "retail", "logistics", "health", "finance", "education", "manufacturing", "media")
OWNERS = ("Ada Lindqvist", "Bo Marín", "Chidi Okafor", "Dana Weiß", "Emi Sato", "Farid Haddad")
PARTS = ("usage_events", "support_tickets", "invoices", "engagements")
"""Tables in which a customer can be missing altogether."""
FIELDS = ("segment", "industry", "employee_count", "plan", "mrr", "renews_at", "owner", "contact_name", "contact_email")
"""Columns of `customers` in which a customer can be missing."""

_OLDEST = 3 * 365
_PLAN_CUTS = np.array([[0.6, 0.95], [0.25, 0.8], [0.05, 0.4]])
_PLAN_PRICES = np.array([90.0, 320.0, 1100.0])
_HEADS = ("Al", "Bru", "Cor", "Dél", "Ev", "Fjo", "Gra", "Hül", "Ima", "Jor", "Kes", "Lu", "Møl", "Nov", "Or", "Pax")
_TAILS = ("bana", "cento", "dris", "fald", "gård", "lia", "mira", "nexo", "pera", "rün", "stra", "tavo", "vik", "zón")
_KINDS = ("GmbH", "Inc", "Ltd", "SA", "AB", "Group", "Labs", "& Co")
_PLACES = (
    ("en", "Europe/London"), ("en", "America/New_York"), ("de", "Europe/Berlin"), ("fr", "Europe/Paris"),
    ("es", "America/Bogota"),
)  # fmt: skip
_FIRST = ("Ana", "Björn", "Chloé", "David", "Elif", "Fatou", "Goran", "Hana", "Ivo", "Júlia", "Kofi", "Lena", "Mateo")
_LAST = ("Abeli", "Bråten", "Costano", "Dvoras", "Ekeland", "Faro", "Günel", "Horva", "Ilves", "Jansa", "Kowal", "Ló")


@dataclass(frozen=True)
class Profiles:
    """One entry per customer in each array; days count from 1970."""

    ids: pa.StringArray
    signed: Ints
    employees: Ints
    segment: Ints
    industry: Ints
    owner: Ints
    opted_out: Mask
    plan: Ints
    mrr: Floats
    change_day: Ints
    change_up: Mask
    intensity: Floats
    missing: dict[str, Mask]

    @property
    def everyone(self) -> Ints:
        """The position of every customer."""
        return np.arange(len(self.signed))

    def terms(self, who: Ints, day: Ints | int) -> tuple[Ints, Floats]:
        """Plan and monthly price of customers on a day: 4 % more with each renewal, and at most one change of plan."""
        changed = self.change_day[who] <= day
        step = np.where(self.change_up[who], 1, -1) * changed
        plan = np.clip(self.plan[who] + step, 0, len(PLANS) - 1)
        price = self.mrr[who] * 1.04 ** ((day - self.signed[who]) // 365) * np.where(step > 0, 1.5, 1 + 0.35 * step)
        return plan, np.round(price, 2)

    def renewal(self, who: Ints, day: Ints | int) -> Ints:
        """The day on which the contract that runs on a day ends."""
        return self.signed[who] + 365 * ((day - self.signed[who]) // 365 + 1)


def draw_profiles(company: Company, chance: Chance) -> Profiles:
    """Everything about the customers that no day changes."""
    who = np.arange(company.customers)
    employees = np.ceil(45 * np.exp(1.5 * chance.normal("employees", who))).astype(np.int64)
    segment = (employees >= 50).astype(np.int64) + (employees > 500)
    plan = (chance.uniform("plan", who)[:, None] > _PLAN_CUTS[segment]).sum(axis=1)
    signed = _sign_ups(company, chance, who)
    changes = chance.uniform("change of plan", who)
    return Profiles(
        ids=numbered("C", who + 1),
        signed=signed,
        employees=employees,
        segment=segment,
        industry=_pick(chance, "industry", who, INDUSTRIES),
        owner=_pick(chance, "owner", who, OWNERS),
        opted_out=chance.uniform("opted out", who) < 0.05,
        plan=plan,
        mrr=_PLAN_PRICES[plan] * (employees / 50) ** 0.35 * np.exp(0.3 * chance.normal("price", who)),
        change_day=signed + 30 + (changes * 3000).astype(np.int64),
        change_up=chance.uniform("upgrade", who) < 0.7,
        intensity=0.45 * (employees / 50) ** 0.15 * np.exp(0.9 * chance.normal("intensity", who)),
        missing={part: chance.uniform(f"missing {part}", who) < company.missing_rate for part in PARTS + FIELDS},
    )


def contacts(profiles: Profiles, chance: Chance) -> dict[str, pa.Array]:
    """Made-up names of companies and people, and addresses in a domain that can never receive mail."""
    who = profiles.everyone
    parts = [_words(chance, f"name {place}", who, words) for place, words in enumerate((_HEADS, _TAILS, _KINDS))]
    first, last = _words(chance, "first name", who, _FIRST), _words(chance, "last name", who, _LAST)
    place = pa.array(_pick(chance, "place", who, _PLACES))
    domain = pc.binary_join_element_wise(pc.utf8_lower(profiles.ids), "example", ".")
    return {
        "name": pc.binary_join_element_wise(pc.binary_join_element_wise(parts[0], parts[1], ""), parts[2], " "),
        "contact_name": pc.binary_join_element_wise(first, last, " "),
        "contact_email": pc.binary_join_element_wise("contact", domain, "@"),
        "language": pa.array([language for language, _ in _PLACES]).take(place),
        "timezone": pa.array([zone for _, zone in _PLACES]).take(place),
    }


def numbered(prefix: str, numbers: Ints) -> pa.StringArray:
    """Identifiers such as C000123."""
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 6, "0"), "")


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days


def _sign_ups(company: Company, chance: Chance, who: Ints) -> Ints:
    luck, start = chance.uniform("sign-up", who), day_number(company.start)
    before = chance.uniform("existed before", who) < 0.6
    return start + np.where(before, -1 - luck * _OLDEST, luck * company.months * 30.44).astype(np.int64)


def _pick(chance: Chance, purpose: str, who: Ints, choices: tuple[object, ...]) -> Ints:
    return (chance.uniform(purpose, who) * len(choices)).astype(np.int64)


def _words(chance: Chance, purpose: str, who: Ints, choices: tuple[str, ...]) -> pa.StringArray:
    return pa.array(choices).take(pa.array(_pick(chance, purpose, who, choices)))
