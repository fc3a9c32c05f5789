"""Quiet hours: when something may reach a customer, by the clock where the customer is."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONDAY, SATURDAY = 0, 5


@dataclass(frozen=True)
class Quiet:
    """Full hours from which and until which nothing is sent; equal ones mean that no hour is quiet."""

    start: int
    end: int
    weekends: bool
    """Whether nothing is sent on Saturdays and Sundays either."""


def allowed_from(moment: datetime, zone: str | None, quiet: Quiet | None, usual: str = "UTC") -> datetime:
    """The first time from `moment` on at which something may be sent, in UTC.

    `moment` is an aware time. Where the customer's zone is not known or no zone, `usual` is taken for it.
    """
    if quiet is None:
        return moment.astimezone(UTC)
    local = moment.astimezone(_zone(zone, usual))
    while (later := _later(local, quiet)) is not None:
        local = later
    return local.astimezone(UTC)


def _later(local: datetime, quiet: Quiet) -> datetime | None:
    """A later time that may do, where this one is quiet."""
    begins = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if quiet.weekends and local.weekday() >= SATURDAY:
        return _at(begins + timedelta(days=7 - local.weekday()), quiet.end if _is_quiet(0, quiet) else 0)
    if not _is_quiet(local.hour, quiet):
        return None
    return _at(begins if local.hour < quiet.end else begins + timedelta(days=1), quiet.end)


def _is_quiet(hour: int, quiet: Quiet) -> bool:
    if quiet.start <= quiet.end:
        return quiet.start <= hour < quiet.end
    return hour >= quiet.start or hour < quiet.end


def _at(day: datetime, hour: int) -> datetime:
    """That hour of a day by the wall clock; where the clock skips it, the time that it shows next."""
    wall = datetime.combine(day.date(), time(hour), day.tzinfo)
    return wall.astimezone(UTC).astimezone(day.tzinfo)


def _zone(name: str | None, usual: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or usual)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(usual)
