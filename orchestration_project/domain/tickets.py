"""Tickets: how many, how many lately against before, and how the customer feels about them."""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.days import number, number_of_time
from orchestration_project.domain.population import FAR
from orchestration_project.domain.rules import RECENT_DAYS, SeverityRules
from orchestration_project.domain.windows import Counted, exact

SATISFACTION_DAYS = 90


def ticket_windows(tickets: ir.Table, rules: SeverityRules) -> list[Counted]:
    """What of each ticket counts when, for `window_sums`."""
    rows = tickets.mutate(
        known=number(tickets.known_on),
        day=number_of_time(tickets.opened_at),
        resolved=number_of_time(tickets.resolved_at).fill_null(FAR),
        urgent=tickets.priority.isin(["high", "urgent"]).fill_null(False).cast("int32"),
    )
    return [
        Counted(rows, _.known, _.day + RECENT_DAYS - 1, {"tickets_30d": 1}),
        Counted(
            rows,
            ibis.greatest(_.known, _.day + RECENT_DAYS),
            _.day + RECENT_DAYS + rules.ticket_baseline_days - 1,
            {"tickets_prior": 1},
        ),
        Counted(rows, _.known, _.resolved - 1, {"tickets_open": 1, "tickets_urgent_open": _.urgent, "opened": _.day}),
        Counted(
            rows.filter(_.satisfaction.notnull(), _.resolved < FAR),
            ibis.greatest(_.known, _.resolved),
            _.resolved + SATISFACTION_DAYS - 1,
            {"rated": 1, "rating": exact(_.satisfaction)},
        ),
    ]


def ticket_facts(sums: ir.Table, observed_from: ir.IntegerValue, rules: SeverityRules) -> dict[str, ir.Value]:
    """Ticket facts, by column, of the sums of `ticket_windows`; `observed_from` is since when tickets could be seen.

    `tickets_30d`; `tickets_prior_monthly`: tickets per 30 days over the `ticket_baseline_days` before the last 30
    (null under 30 days of baseline); `tickets_open`, `tickets_urgent_open`; `tickets_open_days`: mean age of the open
    ones, 0 where none is; `satisfaction_90d`.
    """
    observed = (sums.day - observed_from + 1 - RECENT_DAYS).clip(0, rules.ticket_baseline_days)
    baseline = (observed >= RECENT_DAYS).ifelse(observed, ibis.null("int64"))
    return {
        "tickets_30d": sums.tickets_30d.cast("int64"),
        "tickets_open": sums.tickets_open.cast("int64"),
        "tickets_urgent_open": sums.tickets_urgent_open.cast("int64"),
        "tickets_open_days": (sums.day - sums.opened / sums.tickets_open.nullif(0)).fill_null(0.0),
        "tickets_prior_monthly": sums.tickets_prior * RECENT_DAYS / baseline,
        "satisfaction_90d": sums.rating / sums.rated.nullif(0),
    }
