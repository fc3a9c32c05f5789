"""Days: calendar days as numbers, and from which scan day on a fact may be used.

Inside expressions a day is an integer, days since 1970-01-01 UTC: differences and windows are then plain arithmetic.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class DayRange:
    """Scan days from `first` to `last`, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"a range of days ends before it begins: {self.first} to {self.last}")

    @property
    def start(self) -> int:
        """Number of the first day."""
        return day_number(self.first)

    @property
    def stop(self) -> int:
        """Number of the last day."""
        return day_number(self.last)

    @property
    def dates(self) -> list[date]:
        """Every day of the range, in order."""
        return [self.first + timedelta(n) for n in range(len(self))]

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def parts(self, length: int) -> list["DayRange"]:
        """The range cut into consecutive ranges of at most `length` days."""
        firsts = self.dates[::length]
        return [DayRange(first, min(first + timedelta(length - 1), self.last)) for first in firsts]

    def reaching_back(self, days: int) -> "DayRange":
        """The range with `days` more days before its first."""
        return DayRange(self.first - timedelta(days), self.last)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def number(day: "ir.DateColumn") -> "ir.IntegerColumn":
    """The number of a date column's day."""
    import ibis

    return day.delta(ibis.date(EPOCH), unit="day").cast("int32")


def number_of_time(time: "ir.TimestampColumn") -> "ir.IntegerColumn":
    """The number of the UTC day a timestamp falls on."""
    return number(time.date())


def to_date(numbered: "ir.IntegerColumn") -> "ir.DateColumn":
    """The date of a day number."""
    import ibis

    return (ibis.timestamp("1970-01-01 00:00:00") + numbered.cast("int32").as_interval("D")).date()


def known_on(happened: "ir.TimestampColumn", recorded: "ir.TimestampColumn", grace_hours: float) -> "ir.DateColumn":
    """The first scan day that may use a fact: it had happened, and was recorded by that day's end plus the grace.

    A fact whose recording time is unknown counts as recorded when it happened.
    """
    import ibis

    grace = ibis.interval(seconds=round(grace_hours * 3600))
    return ibis.greatest(happened.date(), (ibis.coalesce(recorded, happened) - grace).date())
