"""Profiles: one row per customer and scan day with all that was known of it, and what is missing and why."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain import activity
from orchestration_project.domain.days import DayRange, number, number_of_time, to_date
from orchestration_project.domain.payments import payment_facts
from orchestration_project.domain.population import FAR, population
from orchestration_project.domain.rules import RHYTHM_DAYS, ChurnRules, SeverityRules
from orchestration_project.domain.tickets import ticket_facts
from orchestration_project.domain.windows import Counted, window_sums

ATTRIBUTES = (
    "name", "segment", "industry", "employee_count", "plan", "mrr", "signed_up_at", "renews_at", "owner",
    "contact_name", "contact_email", "opted_out", "leaves_on",
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """Validated facts that profiles are made of; None where a source is not connected."""

    customers: ir.Table
    usage_daily: ir.Table | None
    support_tickets: ir.Table | None
    invoices: ir.Table | None
    engagements: ir.Table | None


def customer_profiles(
    facts: Facts, days: DayRange, churn: ChurnRules, rules: SeverityRules, engagement_kinds: activity.Kinds
) -> ir.Table:
    """One row per customer in the population of each scan day of `days`.

    Attributes, ticket, payment and engagement facts; per part (`tickets`, `payments`, `engagement`, `usage`) a
    `<part>_missing` reason, null where the part is there.
    """
    people = population(facts.customers, days)
    if churn.kind == "inactivity" and facts.usage_daily is not None:
        people = _active(people, facts.usage_daily, days, churn)
    keys = people.select("customer_id", "day", "sign_up_day")
    parts = [
        _tickets(keys, facts.support_tickets, days, rules),
        _payments(keys, facts.invoices, days, rules),
        _engagement(keys, facts.engagements, days, rules, engagement_kinds),
        _usage_presence(keys, facts.usage_daily, days, rules),
    ]
    profiles = people.select("customer_id", "scan_day", "day", *ATTRIBUTES)
    for part in parts:
        profiles = profiles.left_join(part, ["customer_id", "day"]).drop("customer_id_right", "day_right")
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


def _active(people: ir.Table, usage: ir.Table, days: DayRange, churn: ChurnRules) -> ir.Table:
    rows = activity.numbered(usage)
    rows = rows.filter(rows.day > days.start - churn.active_window_days, rows.day <= days.stop)
    counted = Counted(rows, _.known, _.day + churn.active_window_days - 1, {"uses": 1})
    active = window_sums(people.select("customer_id", "day"), [counted], days).filter(_.uses > 0)
    return people.semi_join(active, ["customer_id", "day"])


def _tickets(keys: ir.Table, tickets: ir.Table | None, days: DayRange, rules: SeverityRules) -> ir.Table:
    if tickets is None:
        nothing = _nothing("int64", "tickets_30d", "tickets_open", "tickets_urgent_open")
        nothing |= _nothing("float64", "tickets_prior_monthly", "satisfaction_90d")
        return _unconnected(keys, "tickets", nothing)
    seen = _coverage(tickets, "opened_at", days)
    people = keys.inner_join(seen, "day")
    people = people.mutate(observed_from=ibis.greatest(people.sign_up_day, people.first_seen))
    facts = ticket_facts(people, tickets, days, rules).inner_join(seen, "day")
    reason = missing_reason(facts.day, facts, rules.stale_after_days["support_tickets"])
    return _only_known(facts, "tickets_missing", reason).drop("first_seen", "last_seen")


def _payments(keys: ir.Table, invoices: ir.Table | None, days: DayRange, rules: SeverityRules) -> ir.Table:
    if invoices is None:
        nothing = _nothing("int64", "invoices_known", "overdue_count", "failed_payments_90d", "overdue_days")
        nothing |= _nothing("float64", "overdue_amount", "typical_invoice")
        return _unconnected(keys, "payments", nothing)
    seen = _coverage(invoices, "issued_at", days)
    facts = payment_facts(keys, invoices, days).inner_join(seen, "day")
    reason = missing_reason(facts.day, facts, rules.stale_after_days["invoices"], facts.invoices_known == 0)
    return _only_known(facts, "payments_missing", reason).drop("first_seen", "last_seen")


def engagement_activity(engagements: ir.Table) -> ir.Table:
    """Engagements as activity rows: the kind of contact is the event."""
    dated = engagements.mutate(day=engagements.occurred_at.date())
    return activity.numbered(activity.with_first_of_day(activity.daily(dated, "kind")))


def _engagement(
    keys: ir.Table, engagements: ir.Table | None, days: DayRange, rules: SeverityRules, kinds: activity.Kinds
) -> ir.Table:
    if engagements is None:
        nothing = _nothing("int64", "engagement_30d", "engagement_prior_60d", "engagement_days_since")
        nothing |= _nothing("int64", "engagement_observed_days", "engagement_kinds_30d", "engagement_kinds_prior_60d")
        nothing |= _nothing("float64", "engagement_decline_pct", "engagement_decline_z", "engagement_typical_gap_days")
        return _unconnected(keys, "engagement", nothing | {"notice_given": ibis.null("boolean")})
    rows = engagement_activity(engagements)
    windows = activity.activity_windows(keys.select("customer_id", "day"), rows, days, list(kinds))
    seen = keys.inner_join(windows, ["customer_id", "day"]).left_join(activity.coverage(rows, days), "day")
    seen = seen.drop("day_right")
    facts = activity.trends(seen.mutate(observed_from=observed_from(seen)), rules)
    notices = rows.filter(rows.event.isin(rules.notice_kinds))
    noticed = Counted(notices, _.known, _.day + RHYTHM_DAYS - 1, {"notices": 1})
    noticed_by = window_sums(keys.select("customer_id", "day"), [noticed], days)
    facts = facts.inner_join(noticed_by, ["customer_id", "day"])
    reason = missing_reason(
        facts.day, facts, rules.stale_after_days["engagements"], facts.last_used.isnull()
    )
    told = facts.select(
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
        reason=reason,
    )
    return _only_known(told, "engagement_missing", told.reason).drop("reason")


def _usage_presence(keys: ir.Table, usage: ir.Table | None, days: DayRange, rules: SeverityRules) -> ir.Table:
    if usage is None:
        return _unconnected(keys, "usage", _nothing("date", "last_used_on"))
    rows = activity.numbered(usage)
    year = rows.filter(rows.day > days.start - RHYTHM_DAYS, rows.day <= days.stop)
    last = Counted(year, _.known, _.known, {}, {"last_used": _.day})
    seen = window_sums(keys.select("customer_id", "day"), [last], days)
    seen = seen.left_join(activity.coverage(year, days), "day").drop("day_right")
    recent = (seen.last_used > seen.day - RHYTHM_DAYS).ifelse(seen.last_used, ibis.null("int64"))
    reason = missing_reason(seen.day, seen, rules.stale_after_days["usage_events"], recent.isnull())
    told = seen.select("customer_id", "day", last_used_on=to_date(recent), reason=reason)
    return _only_known(told, "usage_missing", told.reason).drop("reason")


def _only_known(facts: ir.Table, name: str, reason: ir.StringColumn) -> ir.Table:
    """The facts with their reason column; where there is a reason, the facts are null."""
    facts = facts.mutate(**{name: reason})
    known = facts[name].isnull()
    figures = [column for column in facts.columns if column not in ("customer_id", "day", name)]
    return facts.mutate(**{each: known.ifelse(facts[each], ibis.null()) for each in figures})


def _coverage(rows: ir.Table, happened: str, days: DayRange) -> ir.Table:
    dated = rows.select(day=number_of_time(rows[happened]), known=number(rows.known_on))
    return activity.coverage(dated, days, reach=FAR)


def _nothing(kind: str, *names: str) -> dict[str, ir.Value]:
    return {name: ibis.null(kind) for name in names}


def _unconnected(keys: ir.Table, part: str, nothing: dict[str, ir.Value]) -> ir.Table:
    reason = ibis.literal("source_not_connected").cast("string")
    return keys.select("customer_id", "day", **nothing, **{f"{part}_missing": reason})
