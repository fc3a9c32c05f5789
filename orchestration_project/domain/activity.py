"""Activity: what a customer's days of use, or of contact, say about the last 30 days, the 60 before, and the rhythm.

Works alike on product usage and on engagements: rows of `customer_id, day, event, known_on, quantity, users,
first_of_day`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

import ibis
import ibis.expr.types as ir
from ibis import Deferred, _

from orchestration_project.domain.days import DayRange, day_number, number
from orchestration_project.domain.rules import PRIOR_DAYS, RECENT_DAYS, RHYTHM_DAYS, SeverityRules
from orchestration_project.domain.windows import Counted, window_sums

SQUARE_STEPS = 1024
"""Squares of quantities are kept in steps of 1/1024, so that their sums too are exact, up to 8.8e12."""

BASELINE_DAYS = RECENT_DAYS + PRIOR_DAYS
HALF_YEAR_DAYS = 180

ACTIVE = _.first_of_day.cast("int32")
"""1 for the row by which a day was first known as active: summed, active days."""

Kinds = Mapping[str, Sequence[int]]
"""The kinds of event told apart, each with the scan days (numbers) on which it is among the most used."""


def contact_days(engagements: ir.Table) -> ir.Table:
    """Engagements as activity rows, per customer, day, kind and day known: the kind of contact is the event."""
    dated = engagements.mutate(day=engagements.occurred_at.date(), event=engagements.kind)
    grouped = dated.group_by(["customer_id", "day", "event", "known_on"])
    return with_first_of_day(grouped.agg(quantity=_.count().cast("float64"), users=ibis.literal(0)))


def with_first_of_day(rolled: ir.Table) -> ir.Table:
    """Marks, for each customer and day, the one row by which the day was first known as active."""
    order = ibis.row_number().over(group_by=["customer_id", "day"], order_by=["known_on", "event"])
    return rolled.mutate(first_of_day=order == 0)


def numbered(rows: ir.Table) -> ir.Table:
    """Activity rows with numbers for days; `on` and `known_on` keep the dates, by which whole files are passed over."""
    return rows.mutate(on=rows.day, day=number(rows.day), known=number(rows.known_on))


def coverage(rows: ir.Table, days: DayRange, reach: int = RHYTHM_DAYS) -> ir.Table:
    """Per scan day (`day`): `first_seen` and `last_seen`, the earliest and latest day of any row known by then.

    `rows` has `day` and `known` numbers; those of the last `reach` days count. Both are null where nothing was known.
    `began` is the earliest day of all.
    """
    happened = rows.group_by(happened=rows.day).agg(known=rows.known.min())
    scans = day_table(days)
    seen = scans.left_join(happened, happened.known <= scans.day)
    lately = seen.happened > seen.day - reach
    return seen.group_by("day").agg(
        last_seen=seen.happened.max(where=lately).cast("int64"),
        first_seen=seen.happened.min(where=lately).cast("int64"),
        began=seen.happened.min().cast("int64"),
    )


def customers_seen(rows: ir.Table) -> ir.Table:
    """Customers with any activity row, each with the first scan day that may use one."""
    return rows.group_by("customer_id").agg(known_on=rows.known_on.min())


def days_seen(rows: ir.Table) -> ir.Table:
    """Days and events with any activity row: how many `customers`, by the first scan day that may use their row.

    Enough for `coverage` and for `kind_ranks`.
    """
    first = rows.group_by(["customer_id", "day", "event"]).agg(known_on=rows.known_on.min())
    return first.group_by(["day", "event", "known_on"]).agg(customers=_.count())


def day_table(days: DayRange) -> ir.Table:
    """One row per scan day, as number `day`."""
    numbers = ibis.range(days.start, days.stop + 1).unnest().name("day").as_table()
    return numbers.mutate(day=numbers.day.cast("int32"))


def kind_ranks(seen: ir.Table, days: DayRange, tracked: int) -> ir.Table:
    """The `tracked` most used kinds of each scan day (`event, day`), by customer-days over the 90 days before.

    `seen` is `days_seen`, numbered. Only what was known on a scan day counts for it; ties go by name.
    """
    rows = seen.filter(_aged(days, 0, BASELINE_DAYS))
    counted = Counted(rows, _.known, _.day + BASELINE_DAYS - 1, {"n": _.customers})
    grid = rows.select("event").distinct().cross_join(day_table(days))
    totals = window_sums(grid, [counted], days, key="event").filter(_.n > 0)
    rank = ibis.row_number().over(group_by="day", order_by=[ibis.desc("n"), "event"])
    return totals.mutate(rank=rank).filter(_.rank < tracked).select("event", "day")


def tracked_kinds(ranks: Iterable[tuple[str, int]]) -> Kinds:
    """The answer of `kind_ranks`, per kind in order of name."""
    days = defaultdict(list)
    for kind, day in ranks:
        days[kind].append(day)
    return {kind: sorted(days[kind]) for kind in sorted(days)}


def kind_count(table: ir.Table, period: str, kinds: Kinds, days: DayRange) -> ir.IntegerColumn:
    """How many of the tracked kinds were used in the period."""
    used = [tracked_on(table, kind_days, days) & (table[f"{period}_kind_{n}"] > 0) for n, kind_days in _listed(kinds)]
    return sum((each.cast("int64") for each in used), ibis.literal(0, type="int64"))


def kind_rates(table: ir.Table, period: str, length: int, kinds: Kinds, days: DayRange) -> ir.MapColumn:
    """Daily rate of each kind that is tracked on the row's scan day, as a map; 0 where it was not used."""
    numbers = {kind: n for n, kind in enumerate(kinds)}
    cases = []
    for run, tracked in _runs(kinds, days):
        rates = {kind: table[f"{period}_kind_{numbers[kind]}"] / length for kind in tracked}
        cases.append((table.day.between(run.start, run.stop), _named(rates)))
    return cases[0][1] if len(cases) == 1 else ibis.cases(*cases)


def _named(values: Mapping[str, ir.FloatingValue]) -> ir.MapValue:
    if not values:  # An empty map literal has no type on DuckDB.
        return ibis.map(ibis.literal([], type="array<string>"), ibis.literal([], type="array<float64>"))
    return ibis.struct(values).cast("map<string, float64>")


def _runs(kinds: Kinds, days: DayRange) -> list[tuple[DayRange, list[str]]]:
    """The range cut where the tracked kinds change."""
    runs: list[tuple[DayRange, list[str]]] = []
    for day in days.dates:
        tracked = [kind for kind, kind_days in kinds.items() if day_number(day) in kind_days]
        if runs and runs[-1][1] == tracked:
            runs[-1] = (DayRange(runs[-1][0].first, day), tracked)
        else:
            runs.append((DayRange(day, day), tracked))
    return runs


def tracked_on(table: ir.Table, kind_days: Sequence[int], days: DayRange) -> ir.BooleanValue:
    """Whether a kind is tracked on each row's scan day."""
    return ibis.literal(True) if len(kind_days) == len(days) else table.day.isin(kind_days)


def _listed(kinds: Kinds) -> list[tuple[int, Sequence[int]]]:
    return list(enumerate(kinds.values()))


def activity_windows(rows: ir.Table, days: DayRange, kinds: Sequence[str]) -> list[Counted]:
    """What of each activity row counts when, for `window_sums`.

    `recent_*` is the last 30 days and `prior_*` the 60 before: `quantity`, `squares` (of row quantities),
    `active` days, `users` (per day, summed), and per kind `kind_<n>`. Active days too are `quarter_active` of the 90
    days before, up to half a year, and `older_active` of the rest of the year. `last_used` is a day number. No two
    overlap, so each row is read once.
    """
    used = {"last_used": _.day}
    return [
        spell(rows, days, 0, RECENT_DAYS, _values("recent", kinds), used),
        spell(rows, days, RECENT_DAYS, BASELINE_DAYS, _values("prior", kinds), used),
        spell(rows, days, BASELINE_DAYS, HALF_YEAR_DAYS, {"quarter_active": ACTIVE}, used),
        spell(rows, days, HALF_YEAR_DAYS, RHYTHM_DAYS, {"older_active": ACTIVE}, used),
    ]


def spell(
    rows: ir.Table, days: DayRange, after: int, until: int, values: Mapping[str, Deferred],
    latest: Mapping[str, Deferred] = MappingProxyType({}),
) -> Counted:  # fmt: skip
    """Activity rows (`numbered`) that count while they are at least `after` and less than `until` days old."""
    start = ibis.greatest(_.known, _.day + after) if after else _.known
    first = DayRange(days.first, days.first)
    aged = rows.filter(_aged(days, after, until))
    return Counted(aged, start, _.day + until - 1, values, latest, _aged(first, after, until))


def trends(windows: ir.Table, rules: SeverityRules) -> ir.Table:
    """Trend of each customer and scan day.

    `windows` has the sums of `activity_windows`, with `observed_from` (number: since when this customer could be seen)
    and `present` (whether anything was ever known of it). Silence longer than a year counts as a year.
    Adds `half_year_active, rhythm_active` (active days of 180 and 365), `observed_days, days_since_use,
    typical_gap_days, calendar_ratio, decline_pct, overlap_decline_pct, decline_z`. A null says that there is too
    little history to tell.
    """
    half_year = windows.recent_active + windows.prior_active + windows.quarter_active
    rhythm = windows.mutate(
        half_year_active=half_year,
        rhythm_active=half_year + windows.older_active,
        last_used=(windows.last_used > windows.day - RHYTHM_DAYS).ifelse(windows.last_used, ibis.null("int64")),
        observed_days=(windows.day - windows.observed_from + 1).cast("int64"),
        full_history=(windows.day - windows.observed_from + 1 >= BASELINE_DAYS)
        & (windows.prior_active >= rules.min_prior_active_days)
        & (windows.prior_quantity > 0),
    )
    rhythm = rhythm.mutate(
        days_since_use=rhythm.present.ifelse(
            (rhythm.day - rhythm.last_used).cast("int64").fill_null(RHYTHM_DAYS), ibis.null("int64")
        ),
        span=rhythm.last_used.notnull().ifelse(
            ibis.greatest(rhythm.last_used - rhythm.observed_from + 1, 1).cast("float64"), 0.0
        ),
    )
    return _declines(_gaps(rhythm.inner_join(_population(rhythm, rules), "day"), rules))


def _population(table: ir.Table, rules: SeverityRules) -> ir.Table:
    """What all customers of a scan day say together: their gap between active days, and how the calendar moved them."""
    full = table.full_history
    totals = table.group_by("day").agg(
        gap=table.span.sum(where=table.last_used.notnull()) / table.rhythm_active.sum().nullif(0),
        recent=table.recent_quantity.sum(where=full),
        prior=table.prior_quantity.sum(where=full),
        customers=full.sum(),
    )
    moved = (totals.recent / RECENT_DAYS) / (totals.prior / PRIOR_DAYS).nullif(0)
    told = totals.customers >= rules.season_min_customers
    ratio = told.ifelse(moved.clip(1 / rules.season_clip, rules.season_clip), 1.0).fill_null(1.0)
    return totals.select("day", population_gap=totals.gap, calendar_ratio=ratio)


def _gaps(table: ir.Table, rules: SeverityRules) -> ir.Table:
    """Typical gap: days seen up to the last use per active day, drawn to the population's (gamma-Poisson posterior)."""
    weight = rules.gap_prior_weight
    own = (table.span + weight * table.population_gap) / (table.rhythm_active + weight)
    return table.mutate(typical_gap_days=table.present.ifelse(own, ibis.null("float64")))


def _declines(table: ir.Table) -> ir.Table:
    """Declines in percent of the expected rate, and z of the change: row quantities as a compound Poisson process.

    The variance of a compound Poisson sum is estimated without bias by the sum of the squared quantities.
    """
    recent_rate, prior_rate = table.recent_quantity / RECENT_DAYS, table.prior_quantity / PRIOR_DAYS
    overlapping_rate = (table.recent_quantity + table.prior_quantity) / BASELINE_DAYS
    expected = prior_rate * table.calendar_ratio
    variance = table.recent_squares / RECENT_DAYS**2 + table.calendar_ratio**2 * table.prior_squares / PRIOR_DAYS**2
    known = table.full_history
    unknown = ibis.null("float64")
    return table.mutate(
        decline_pct=known.ifelse(100 * (1 - recent_rate / expected.nullif(0)), unknown),
        overlap_decline_pct=known.ifelse(100 * (1 - recent_rate / overlapping_rate.nullif(0)), unknown),
        decline_z=known.ifelse((recent_rate - expected) / variance.sqrt().nullif(0), unknown),
    )


def _aged(days: DayRange, after: int, until: int) -> Deferred:
    """Whether a row is at least `after` and less than `until` days old on any of the scan days, and known by then."""
    earliest, latest = days.reaching_back(until - 1).first, days.last - timedelta(days=after)
    return (_.on >= ibis.date(earliest)) & (_.on <= ibis.date(latest)) & (_.known_on <= ibis.date(days.last))


def _values(period: str, kinds: Sequence[str]) -> dict[str, Deferred]:
    values = {
        f"{period}_quantity": _.quantity,
        f"{period}_squares": (_.quantity * _.quantity * SQUARE_STEPS).round() / SQUARE_STEPS,
        f"{period}_active": ACTIVE,
        f"{period}_users": _.users,
    }
    return values | {f"{period}_kind_{n}": (_.event == kind).ifelse(_.quantity, 0.0) for n, kind in enumerate(kinds)}
