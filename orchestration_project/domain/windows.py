"""Windows: sums over sliding windows, for any range of scan days at once.

A fact counts on the scan days of an interval: usage of the last 30 days from the day it was known to 29 days after it
happened, an open ticket from when it was known to the day before it was resolved. So a window never has to be
looked up per scan day: what stands on the first is summed up, then each fact adds itself on its first day and takes
itself away after its last, and a running total over the days is the answer for every scan day, late facts included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir
from ibis import Deferred, _

from orchestration_project.domain.days import DayRange

EXACT_STEP = 2.0**-20
"""Quantities are multiples of this step: sums of doubles are then exact (below 8.5e9), whatever their order."""


@dataclass(frozen=True)
class Counted:
    """Rows whose `values` count on the scan days from `start` to `end` (day numbers, both included).

    A value that is a plain number counts that much for each row. `latest` are values of which the largest is wanted:
    of the rows that count, and of some that no longer do. Who needs the former alone sees by the value what is over.
    `stands` says that a row counts on the first scan day, where that can be told with less work than by the numbers.
    """

    rows: ir.Table
    start: Deferred
    end: Deferred
    values: Mapping[str, Deferred | int]
    latest: Mapping[str, Deferred] = field(default_factory=dict)
    stands: Deferred | None = None


def exact(quantity: ir.NumericColumn) -> ir.FloatingColumn:
    """The quantity rounded to the step in which sums are exact."""
    return (quantity.cast("float64") / EXACT_STEP).round().cast("float64") * EXACT_STEP


def window_sums(grid: ir.Table, counted: Sequence[Counted], days: DayRange, key: str = "customer_id") -> ir.Table:
    """For each row of `grid` (columns `key` and `day`, unique): every counted sum and latest value as of its day.

    Sums are 0 where nothing counts; latest values are null where nothing was seen. Of different rows, what has the same
    name is one.
    """
    sums = list(dict.fromkeys(name for each in counted for name in each.values))
    latest = list(dict.fromkeys(name for each in counted for name in each.latest))
    table = _aligned(grid, key, sums, latest)
    if len(days) > 1:
        moves = [_aligned(change, key, sums, latest) for each in counted for change in _moves(each, days, key)]
        table = _running(table, moves, sums, latest, key)
    found = {name: [name] for name in (*sums, *latest)}
    for n, group in enumerate(_by_rows(counted)):
        standing = _standing(group, days, key)
        names = {name: f"{name}_standing_{n}" for name in standing.columns if name != key}
        table = table.left_join(standing.select(key, **{names[name]: name for name in names}), key)
        table = table.drop(f"{key}_right")
        for name, of_group in names.items():
            found[name].append(of_group)
    return table.select(
        key,
        "day",
        **{name: sum(table[each].cast("float64").fill_null(0.0) for each in found[name]) for name in sums},
        **{name: _largest([table[each].cast("int64") for each in found[name]]) for name in latest},
    )


def _running(
    grid: ir.Table, moves: Sequence[ir.Table], sums: Sequence[str], latest: Sequence[str], key: str
) -> ir.Table:
    """For each row of `grid`, what moved since the first scan day."""
    every = ibis.union(grid.mutate(asked=True), *(each.mutate(asked=False) for each in moves))
    totals = every.group_by([key, "day"]).agg(
        **{name: every[name].sum() for name in sums},
        **{name: every[name].max() for name in latest},
        asked=every.asked.any(),
    )
    until_now = ibis.cumulative_window(group_by=key, order_by="day")
    running = {name: totals[name].sum().over(until_now) for name in sums}
    running |= {name: totals[name].max().over(until_now) for name in latest}
    return totals.select(key, "day", "asked", **running).filter(_.asked).drop("asked")


def _largest(values: Sequence[ir.IntegerValue]) -> ir.IntegerValue:
    """The largest of those that are known."""
    return reduce(lambda one, other: ibis.coalesce(ibis.greatest(one, other), one, other), values)


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
    standing = [_stands(each, days) for each in group]
    totals: dict[str, Deferred] = {}
    for each, stands in zip(group, standing, strict=True):
        # Conditions within the sums cost as much as the sums: rows counted in one way alone are filtered instead.
        where = stands if len(group) > 1 else None
        for name, value in each.values.items():
            totals[name] = _.count(where=where) * value if isinstance(value, int) else value.sum(where=where)
        totals |= {name: value.max(where=where) for name, value in each.latest.items()}
    counting = group[0].rows.filter(reduce(or_, standing))
    return counting.group_by(key).agg(**totals)


def _stands(counted: Counted, days: DayRange) -> Deferred:
    if counted.stands is not None:
        return counted.stands
    return (counted.start <= days.start) & (counted.end >= days.start)


def _moves(counted: Counted, days: DayRange, key: str) -> list[ir.Table]:
    """What counted rows add on their first day and take away after their last, within the scan days."""
    rows = counted.rows.mutate(_start=counted.start, _end=counted.end)
    rows = rows.filter(_._start <= days.stop, _._end >= days.start, _._end >= _._start)
    arriving, leaving = rows.filter(_._start > days.start), rows.filter(_._end < days.stop)
    latest = {name: value.resolve(arriving) for name, value in counted.latest.items()}
    arrives = arriving.select(key, **_amounts(arriving, counted, 1), **latest, day=_._start)
    leaves = leaving.select(key, **_amounts(leaving, counted, -1), day=_._end + 1)
    return [arrives, leaves]


def _amounts(rows: ir.Table, counted: Counted, sign: int) -> dict[str, ir.Value]:
    return {
        name: ibis.literal(float(sign * value)) if isinstance(value, int) else sign * value.resolve(rows)
        for name, value in counted.values.items()
    }


def _aligned(table: ir.Table, key: str, sums: Sequence[str], latest: Sequence[str]) -> ir.Table:
    columns = {name: table[name].cast("float64") if name in table.columns else ibis.literal(0.0) for name in sums}
    columns |= {name: table[name].cast("int64") if name in table.columns else ibis.null("int64") for name in latest}
    return table.select(key, day=table.day.cast("int32"), **columns)
