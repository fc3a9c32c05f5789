"""Profiles: one row per customer and scan day with all that was known of it, and what is missing and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain import activity
from orchestration_project.domain.days import DayRange, number, number_of_time
from orchestration_project.domain.payments import oldest_unpaid, payment_facts, payment_rows, payment_windows
from orchestration_project.domain.population import FAR, population
from orchestration_project.domain.rules import RHYTHM_DAYS, ChurnRules, SeverityRules
from orchestration_project.domain.tickets import ticket_facts, ticket_windows
from orchestration_project.domain.windows import Counted, window_sums

ATTRIBUTES = (
    "name", "segment", "industry", "employee_count", "plan", "mrr", "signed_up_at", "renews_at", "owner",
    "contact_name", "contact_email", "language", "timezone", "opted_out", "leaves_on",
)  # fmt: skip


KNOWN_DAYS = 90
"""Days before a scan day whose facts must be known for a part of the profile to be there."""

FIGURES = {
    "tickets": {
        "tickets_30d": "int64",
        "tickets_open": "int64",
        "tickets_urgent_open": "int64",
        "tickets_open_days": "float64",
        "tickets_prior_monthly": "float64",
        "satisfaction_90d": "float64",
    },
    "payments": {
        "invoices_known": "int64",
        "overdue_count": "int64",
        "overdue_amount": "float64",
        "overdue_days": "int64",
        "failed_payments_90d": "int64",
        "typical_invoice": "float64",
    },
    "engagement": {
        "engagement_30d": "int64",
        "engagement_prior_60d": "int64",
        "engagement_kinds_30d": "int64",
        "engagement_kinds_prior_60d": "int64",
        "engagement_days_since": "int64",
        "engagement_typical_gap_days": "float64",
        "engagement_observed_days": "int64",
        "engagement_decline_pct": "float64",
        "engagement_decline_z": "float64",
        "notice_given": "boolean",
    },
    "usage": {},
}
"""Figures of each part of a profile; all are null where the part is missing."""


@dataclass(frozen=True)
class Facts:
    """Validated facts that profiles are made of; None where a source is not connected."""

    customers: ir.Table
    usage_daily: ir.Table | None
    usage_customers: ir.Table | None
    """`activity.customers_seen` of usage."""
    usage_coverage: ir.Table | None
    """`activity.days_seen` of usage."""
    support_tickets: ir.Table | None
    invoices: ir.Table | None
    engagement_daily: ir.Table | None
    """Engagements per customer, day and kind, as `activity.daily` makes them."""
    unknown: Mapping[str, ir.Table] = field(default_factory=dict)
    """Per part, customers with the days `unknown_from` to `unknown_to` (null: no end) of which nothing is known."""


def scan_population(facts: Facts, days: DayRange, churn: ChurnRules) -> ir.Table:
    """Who each scan day holds: customers who are there, and who used of late where churn is inactivity."""
    people = population(facts.customers, days)
    if churn.kind == "contract" or facts.usage_daily is None:
        return people
    rows = activity.numbered(facts.usage_daily)
    counted = Counted(rows, _.known, _.day + churn.active_window_days - 1, {"uses": 1})
    active = window_sums(people.select("customer_id", "day"), [counted], days).filter(_.uses > 0)
    return people.semi_join(active, ["customer_id", "day"])


def profile_windows(
    people: ir.Table, facts: Facts, days: DayRange, rules: SeverityRules, kinds: activity.Kinds
) -> ir.Table:
    """All window sums of `people` (`scan_population`), in one pass."""
    counted: list[Counted] = []
    if facts.support_tickets is not None:
        counted += ticket_windows(facts.support_tickets, rules)
    if facts.invoices is not None:
        counted += payment_windows(payment_rows(facts.invoices))
    if facts.engagement_daily is not None:
        rows = activity.numbered(facts.engagement_daily)
        notices = rows.filter(rows.event.isin(rules.notice_kinds))
        counted += activity.activity_windows(rows, days, list(kinds))
        counted.append(Counted(notices, _.known, _.day + RHYTHM_DAYS - 1, {"notices": 1}))
    return window_sums(people.select("customer_id", "day"), counted, days)


def customer_profiles(
    people: ir.Table, windows: ir.Table, facts: Facts, days: DayRange, rules: SeverityRules, kinds: activity.Kinds
) -> ir.Table:
    """One row per customer in the population of each scan day of `days`.

    Attributes, ticket, payment and engagement facts; per part (`tickets`, `payments`, `engagement`, `usage`) a
    `<part>_missing` reason, null where the part is there. `windows` is `profile_windows` of `people`.
    """
    table = people.inner_join(windows, ["customer_id", "day"])
    told = {
        "tickets": _tickets(table, facts.support_tickets, days, rules),
        "payments": _payments(table, facts.invoices, days, rules),
        "engagement": _engagement(table, facts.engagement_daily, days, rules, kinds),
        "usage": _usage(people, facts, days, rules),
    }
    profiles = people.select("customer_id", "day", "scan_day", *ATTRIBUTES)
    for part, rows in told.items():
        if rows is None:
            profiles = profiles.mutate(**_nothing(part))
        else:
            if part in facts.unknown:
                rows = _with_unknown(rows, facts.unknown[part])
            profiles = profiles.inner_join(_only_known(rows, part), ["customer_id", "day"])
    return profiles.drop("day")


def missing_reason(
    day: ir.IntegerColumn, coverage: ir.Table, stale_after: int, absent: ir.BooleanColumn | None = None
) -> ir.StringColumn:
    """Why a part is missing, or null: its source had not started, is stale, or has no row of this customer."""
    cases = [
        (coverage.last_seen.isnull(), "source_not_started"),
        (day - coverage.last_seen > stale_after, "source_stale"),
    ]
    if absent is not None:
        cases.append((absent, "no_rows"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def observed_from(table: ir.Table) -> ir.IntegerColumn:
    """Since when a customer could be seen: sign-up or the source's first day, at most a year back (number)."""
    return ibis.greatest(table.sign_up_day, table.first_seen.fill_null(table.day), table.day - RHYTHM_DAYS + 1)


def _tickets(table: ir.Table, tickets: ir.Table | None, days: DayRange, rules: SeverityRules) -> ir.Table | None:
    if tickets is None:
        return None
    seen = table.inner_join(_coverage(tickets, "opened_at", days), "day")
    facts = ticket_facts(seen, ibis.greatest(seen.sign_up_day, seen.first_seen), rules)
    reason = missing_reason(seen.day, seen, rules.stale_after_days["support_tickets"])
    return seen.select("customer_id", "day", **facts, reason=reason)


def _payments(table: ir.Table, invoices: ir.Table | None, days: DayRange, rules: SeverityRules) -> ir.Table | None:
    if invoices is None:
        return None
    oldest = oldest_unpaid(payment_rows(invoices), days)
    seen = table.inner_join(_coverage(invoices, "issued_at", days), "day")
    seen = seen.left_join(oldest, ["customer_id", "day"]).drop("customer_id_right", "day_right")
    reason = missing_reason(seen.day, seen, rules.stale_after_days["invoices"], seen.invoices_known == 0)
    return seen.select("customer_id", "day", **payment_facts(seen), reason=reason)


def _engagement(
    table: ir.Table, contacts: ir.Table | None, days: DayRange, rules: SeverityRules, kinds: activity.Kinds
) -> ir.Table | None:
    if contacts is None:
        return None
    seen = table.inner_join(activity.coverage(activity.numbered(contacts), days), "day")
    present = (seen.last_used > seen.day - RHYTHM_DAYS).fill_null(False)
    facts = activity.trends(seen.mutate(observed_from=observed_from(seen), present=present), rules)
    return facts.select(
        "customer_id",
        "day",
        engagement_30d=facts.recent_quantity.cast("int64"),
        engagement_prior_60d=facts.prior_quantity.cast("int64"),
        engagement_kinds_30d=activity.kind_count(facts, "recent", kinds, days),
        engagement_kinds_prior_60d=activity.kind_count(facts, "prior", kinds, days),
        engagement_days_since=facts.days_since_use,
        engagement_typical_gap_days=facts.typical_gap_days,
        engagement_observed_days=facts.observed_days,
        engagement_decline_pct=facts.decline_pct,
        engagement_decline_z=facts.decline_z,
        notice_given=facts.notices > 0,
        reason=missing_reason(facts.day, facts, rules.stale_after_days["engagements"], ~facts.present),
    )


def _usage(people: ir.Table, facts: Facts, days: DayRange, rules: SeverityRules) -> ir.Table | None:
    if facts.usage_customers is None or facts.usage_coverage is None:
        return None
    first = facts.usage_customers.group_by("customer_id").agg(known=number(_.known_on).min())
    covered = facts.usage_coverage.select(day=number(_.day), known=number(_.known_on))
    seen = people.select("customer_id", "day").inner_join(activity.coverage(covered, days), "day")
    seen = seen.left_join(first, "customer_id").drop("customer_id_right")
    absent = seen.known.isnull() | (seen.known > seen.day)
    reason = missing_reason(seen.day, seen, rules.stale_after_days["usage_events"], absent)
    return seen.select("customer_id", "day", reason=reason)


def _only_known(rows: ir.Table, part: str) -> ir.Table:
    """The part's figures with its reason column; where there is a reason, the figures are null."""
    known = rows.reason.isnull()
    figures = {name: known.ifelse(rows[name], ibis.null(kind)) for name, kind in FIGURES[part].items()}
    return rows.select("customer_id", "day", **figures, **{f"{part}_missing": rows.reason})


def _with_unknown(rows: ir.Table, unknown: ir.Table) -> ir.Table:
    """The rows, with reason `not_collected` where any of the last `KNOWN_DAYS` days is among the unknown ones."""
    gaps = unknown.select(
        "customer_id", first=number(unknown.unknown_from), last=number(unknown.unknown_to).fill_null(FAR) + KNOWN_DAYS
    )
    inside = [rows.customer_id == gaps.customer_id, rows.day >= gaps.first, rows.day < gaps.last]
    hit = rows.inner_join(gaps, inside).select("customer_id", "day").distinct().mutate(hit=True)
    joined = rows.left_join(hit, ["customer_id", "day"]).drop("customer_id_right", "day_right")
    return joined.mutate(reason=joined.hit.notnull().ifelse("not_collected", joined.reason)).drop("hit")


def _coverage(rows: ir.Table, happened: str, days: DayRange) -> ir.Table:
    dated = rows.select(day=number_of_time(rows[happened]), known=number(rows.known_on))
    return activity.coverage(dated, days, reach=FAR)


def _nothing(part: str) -> dict[str, ir.Value]:
    reason = ibis.literal("source_not_connected", type="string")
    return {name: ibis.null(kind) for name, kind in FIGURES[part].items()} | {f"{part}_missing": reason}
