"""Tickets: how many, how many lately against before, and how the customer feels about them."""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.days import DayRange, number, number_of_time
from orchestration_project.domain.population import FAR
from orchestration_project.domain.rules import RECENT_DAYS, SeverityRules
from orchestration_project.domain.windows import Counted, exact, window_sums

SATISFACTION_DAYS = 90


def ticket_facts(people: ir.Table, tickets: ir.Table, days: DayRange, rules: SeverityRules) -> ir.Table:
    """Ticket facts per row of `people` (`customer_id, day, observed_from`: since when tickets could be seen).

    `tickets_30d`; `tickets_prior_monthly`: tickets per 30 days over the `ticket_baseline_days` before the last 30
    (null under 30 days of baseline); `tickets_open`, `tickets_urgent_open`; `satisfaction_90d`.
    """
    rows = tickets.mutate(
        known=number(tickets.known_on),
        day=number_of_time(tickets.opened_at),
        resolved=number_of_time(tickets.resolved_at).fill_null(FAR),
    )
    urgent = rows.priority.isin(["high", "urgent"]).fill_null(False).cast("int32")
    sums = window_sums(
        people.select("customer_id", "day"),
        [
            Counted(rows, _.known, _.day + RECENT_DAYS - 1, {"tickets_30d": 1}),
            Counted(
                rows,
                ibis.greatest(_.known, _.day + RECENT_DAYS),
                _.day + RECENT_DAYS + rules.ticket_baseline_days - 1,
                {"prior": 1},
            ),
            Counted(
                rows.mutate(urgent=urgent),
                _.known,
                _.resolved - 1,
                {"tickets_open": 1, "tickets_urgent_open": _.urgent},
            ),
            Counted(
                rows.filter(_.satisfaction.notnull(), _.resolved < FAR),
                ibis.greatest(_.known, _.resolved),
                _.resolved + SATISFACTION_DAYS - 1,
                {"rated": 1, "rating": exact(_.satisfaction)},
            ),
        ],
        days,
    )
    facts = people.select("customer_id", "day", "observed_from").inner_join(sums, ["customer_id", "day"])
    observed = (facts.day - facts.observed_from + 1 - RECENT_DAYS).clip(0, rules.ticket_baseline_days)
    return facts.select(
        "customer_id",
        "day",
        *(facts[name].cast("int64").name(name) for name in ("tickets_30d", "tickets_open", "tickets_urgent_open")),
        tickets_prior_monthly=facts.prior * RECENT_DAYS / (observed >= RECENT_DAYS).ifelse(observed, ibis.null("int64")),
        satisfaction_90d=facts.rating / facts.rated.nullif(0),
    )
