"""Partitions: the scan days and months that assets are divided into."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from orchestration_project.domain.days import DayRange

MONTH_FORMAT = "%Y-%m"

LATE_DAYS = 7
"""How late usage may be recorded and still be read by itself; later rows need their month materialized again."""

WHOLE_RANGE = dg.BackfillPolicy.single_run()
"""A backfill of any range is one run, and one computation."""


@dataclass(frozen=True)
class Partitions:
    """Scan days and usage months since the start of history, in UTC."""

    history_start: date
    history_end: date | None = None

    @property
    def scan_days(self) -> dg.DailyPartitionsDefinition:
        """One partition per full day; the latest is yesterday."""
        end = (self.history_end + timedelta(days=1)).isoformat() if self.history_end else None
        return dg.DailyPartitionsDefinition(start_date=self.history_start.isoformat(), end_date=end, timezone="UTC")

    @property
    def months(self) -> dg.MonthlyPartitionsDefinition:
        """One partition per month, the current one included."""
        start = self.history_start.replace(day=1).strftime(MONTH_FORMAT)
        end = next_month(self.history_end).strftime(MONTH_FORMAT) if self.history_end else None
        return dg.MonthlyPartitionsDefinition(
            start_date=start, end_date=end, fmt=MONTH_FORMAT, timezone="UTC", end_offset=0 if end else 1
        )

    @property
    def learning_months(self) -> dg.MonthlyPartitionsDefinition:
        """One partition per month that is over."""
        start = self.history_start.replace(day=1).strftime(MONTH_FORMAT)
        end = next_month(self.history_end).strftime(MONTH_FORMAT) if self.history_end else None
        return dg.MonthlyPartitionsDefinition(start_date=start, end_date=end, fmt=MONTH_FORMAT, timezone="UTC")


def scan_days(context: dg.AssetExecutionContext) -> DayRange:
    """The scan days of a run, whether it is for one or for a range."""
    keys = context.partition_key_range
    return DayRange(date.fromisoformat(keys.start), date.fromisoformat(keys.end))


def day_keys(days: DayRange) -> list[str]:
    """Partition keys of scan days."""
    return [day.isoformat() for day in days.dates]


def months(context: dg.AssetExecutionContext) -> list[date]:
    """The first days of the months of a run."""
    keys = context.partition_key_range
    first = datetime.strptime(keys.start, MONTH_FORMAT).date()  # noqa: DTZ007 - a month has no zone
    last = datetime.strptime(keys.end, MONTH_FORMAT).date()  # noqa: DTZ007
    return months_between(first, last)


def months_to_refresh(first: date, last: date) -> list[date]:
    """Months of usage to read for scans from `first` to `last`: with those in which late rows may still arrive."""
    return months_between(first - timedelta(days=LATE_DAYS), last)


def months_between(first: date, last: date) -> list[date]:
    """First days of all months that the days from `first` to `last` lie in."""
    found = [first.replace(day=1)]
    while next_month(found[-1]) <= last:
        found.append(next_month(found[-1]))
    return found


def next_month(month: date) -> date:
    """First day of the month after the one that starts at `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_key(day: date) -> str:
    """The partition key of the month a day lies in."""
    return day.strftime(MONTH_FORMAT)
