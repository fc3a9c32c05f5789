"""Windows: sums over sliding windows, for any range of scan days at once.

A fact counts on the scan days of an interval: usage of the last 30 days from the day it was known to 29 days after it
happened, an open ticket from when it was known to the day before it was resolved. So a window never has to be
looked up per scan day: each fact adds itself on its first day and takes itself away after its last, and a running
total over the days is the answer for every scan day, late facts included. For a single scan day that is one plain
grouped sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir
from ibis import Deferred, _

from orchestration_project.domain.days import DayRange

EXACT_STEP = 2.0**-20
"""Quantities are multiples of this step: sums of doubles are then exact (below 8.5e9), whatever their order."""


@dataclass(frozen=True)
class Counted:
    """Rows whose `values` count on the scan days from `start` to `end` (day numbers, both included).

    A value that is a plain number counts that much for each row. `latest` are values of
    which the largest seen since any `start` is wanted, whatever the end.
    """

    rows: ir.Table
    start: Deferred
    end: Deferred
    values: Mapping[str, Deferred | int]
    latest: Mapping[str, Deferred] = field(default_factory=dict)


def exact(quantity: ir.NumericColumn) -> ir.FloatingColumn:
    """The quantity rounded to the step in which sums are exact."""
    return (quantity.cast("float64") / EXACT_STEP).round().cast("float64") * EXACT_STEP


def window_sums(grid: ir.Table, counted: Sequence[Counted], days: DayRange, key: str = "customer_id") -> ir.Table:
    """For each row of `grid` (columns `key` and `day`, unique): every counted sum and latest value as of its day.

    Sums are 0 where nothing counts; latest values are null where nothing was seen.
    """
    sums = [name for each in counted for name in each.values]
    latest = [name for each in counted for name in each.latest]
    changes = [_standing(group, days, key) for group in _by_rows(counted)]
    if len(days) > 1:
        changes += [change for each in counted for change in _moves(each, days, key)]
    changes = [_aligned(change, key, sums, latest) for change in changes]
    asked = _aligned(grid, key, sums, latest).mutate(asked=True)
    every = ibis.union(asked, *(change.mutate(asked=False) for change in changes))
    totals = every.group_by([key, "day"]).agg(
        **{name: every[name].sum() for name in sums},
        **{name: every[name].max() for name in latest},
        asked=every.asked.any(),
    )
    if len(days) > 1:
        until_now = ibis.cumulative_window(group_by=key, order_by="day")
        running = {name: totals[name].sum().over(until_now) for name in sums}
        running |= {name: totals[name].max().over(until_now) for name in latest}
        totals = totals.select(key, "day", "asked", **running)
    return totals.filter(_.asked).drop("asked")


def _by_rows(counted: Sequence[Counted]) -> list[list[Counted]]:
    """What is counted of the same rows, together: they are then read once."""
    groups: list[list[Counted]] = []
    for each in counted:
        same = next((group for group in groups if group[0].rows is each.rows), None)
        if same is None:
            groups.append([each])
        else:
            same.append(each)
    return groups


def _standing(group: Sequence[Counted], days: DayRange, key: str) -> ir.Table:
    """What already stands on the first scan day, summed up beforehand: it is by far the most."""
    rows = group[0].rows
    sums: dict[str, ir.Value] = {}
    wanted: ir.BooleanValue = ibis.literal(False)
    for each in group:
        began = each.start.resolve(rows) <= days.start
        stands = began & (each.end.resolve(rows) >= days.start)
        wanted = wanted | (began if each.latest else stands)
        sums |= {
            name: stands.sum() * value if isinstance(value, int) else value.resolve(rows).sum(where=stands)
            for name, value in each.values.items()
        }
        sums |= {name: value.resolve(rows).max(where=began) for name, value in each.latest.items()}
    standing = rows.filter(wanted).group_by(key).agg(**sums)
    return standing.mutate(day=ibis.literal(days.start).cast("int32"))


def _moves(counted: Counted, days: DayRange, key: str) -> list[ir.Table]:
    """What counted rows add on their first day and take away after their last, within the scan days."""
    rows = counted.rows.mutate(_start=counted.start, _end=counted.end).filter(_._start <= days.stop)
    rows = rows.mutate(_live=(rows._end >= days.start) & (rows._end >= rows._start))
    if not counted.latest:
        rows = rows.filter(_._live)
    arriving = rows.filter(_._start > days.start)
    latest = dict(counted.latest)
    arrives = arriving.select(
        key, **_amounts(arriving, counted, 1), **{n: v.resolve(arriving) for n, v in latest.items()}, day=_._start
    )
    leaving = rows.filter(_._live, _._end < days.stop)
    leaves = leaving.select(key, **_amounts(leaving, counted, -1), day=_._end + 1)
    return [arrives, leaves]


def _amounts(rows: ir.Table, counted: Counted, sign: int) -> dict[str, ir.Value]:
    signed = rows._live.ifelse(float(sign), 0.0)
    return {
        name: signed * value if isinstance(value, int) else signed * value.resolve(rows).cast("float64")
        for name, value in counted.values.items()
    }


def _aligned(table: ir.Table, key: str, sums: Sequence[str], latest: Sequence[str]) -> ir.Table:
    columns = {name: table[name].cast("float64") if name in table.columns else ibis.literal(0.0) for name in sums}
    columns |= {name: table[name].cast("int64") if name in table.columns else ibis.null("int64") for name in latest}
    return table.select(key, day=table.day.cast("int32"), **columns)
