"""Episodes: in which band a customer is said to be, from day to day, so that a score on an edge changes nothing.

A band is entered where its edge says, and left downwards only by more than the hysteresis. Which of two neighbours a
score in between belongs to is told by the last day that leaves no doubt, so no day depends on a state that is kept.
"""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.days import number, to_date

LOOKBACK_DAYS = 45
"""How far back a day may look for the last one without doubt, and then for the first day of its stay."""
REACH_DAYS = 2 * LOOKBACK_DAYS
"""How far back scores must be known for a day's episode."""

_LOW, _MEDIUM_OR_LOW, _MEDIUM, _HIGH_OR_MEDIUM, _HIGH = range(5)
_ZONES = 8
_NAMES = {_LOW: "low", _MEDIUM: "medium", _HIGH: "high"}


def episodes(scores: ir.Table, medium_from: float, high_from: float, hysteresis: float) -> ir.Table:
    """`customer_id`, `scan_day`, `state` (low, medium, high) and `since`, the first day of the stay in it.

    `scores` has `customer_id`, `scan_day` and `score` of every day from `REACH_DAYS` before the first one that is
    asked for; days without a score are passed over, and have no row. A stay that began before the lookback began is
    said to have begun with it. Raises ValueError for a hysteresis that is wider than the medium band.
    """
    if not 0 <= hysteresis < high_from - medium_from:
        raise ValueError(f"a hysteresis of {hysteresis:g} is not below {high_from - medium_from:g}, the medium band")
    table = scores.filter(_.score.notnull()).mutate(day=number(scores.scan_day))
    table = table.mutate(zone=_zone(table.score, medium_from, high_from, hysteresis))
    before = ibis.range_window(group_by="customer_id", order_by="day", preceding=LOOKBACK_DAYS, following=0)
    table = table.mutate(
        beside_low=_latest(table, _MEDIUM_OR_LOW).over(before), beside_high=_latest(table, _HIGH_OR_MEDIUM).over(before)
    )
    table = table.mutate(code=_state(table))
    order = ibis.window(group_by="customer_id", order_by="day")
    # A gap in the days is no change; the first row of all begins a stay.
    began = (table.code != table.code.lag().over(order)).fill_null(True)
    table = table.mutate(began=began.ifelse(table.day, ibis.null("int32")))
    first = ibis.coalesce(table.began.max().over(before), table.day - LOOKBACK_DAYS)
    names = [(table.code == code, name) for code, name in _NAMES.items()]
    return table.select(
        "customer_id", "scan_day", state=ibis.cases(*names, else_=ibis.null("string")), since=to_date(first)
    )


def _zone(score: ir.NumericValue, medium_from: float, high_from: float, hysteresis: float) -> ir.IntegerValue:
    return ibis.cases(
        (score < medium_from - hysteresis, _LOW),
        (score < medium_from, _MEDIUM_OR_LOW),
        (score < high_from - hysteresis, _MEDIUM),
        (score < high_from, _HIGH_OR_MEDIUM),
        else_=_HIGH,
    ).cast("int32")


def _latest(table: ir.Table, but: int) -> ir.IntegerScalar:
    """The zone of the latest day outside a zone, behind the day's number: the greatest of these is the latest."""
    return (table.zone == but).ifelse(ibis.null("int32"), table.day * _ZONES + table.zone).max()


def _state(table: ir.Table) -> ir.IntegerValue:
    """The band: in between, the one that was left last; where nothing is known of before, the band of the score."""
    was_low = (table.beside_low % _ZONES == _LOW).fill_null(True)
    was_high = (table.beside_high % _ZONES == _HIGH).fill_null(False)
    return ibis.cases(
        (table.zone == _MEDIUM_OR_LOW, was_low.ifelse(_LOW, _MEDIUM)),
        (table.zone == _HIGH_OR_MEDIUM, was_high.ifelse(_HIGH, _MEDIUM)),
        else_=table.zone,
    )
