"""Permit: proof that a scan may act, because it is about the latest day and made from fresh sources."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import date, datetime

from orchestration_project.domain.days import DayRange

BACKFILL_TAG = "dagster/backfill"
_MAKER = object()


class NotLive(Exception):
    """A run that must not act; says why, in one sentence."""


@dataclass(frozen=True)
class Permit:
    """What everything that creates actions, messages or reviews of actions asks for; only `for_run` makes it."""

    scan_day: date
    run_id: str
    now: datetime
    maker: InitVar[object]

    def __post_init__(self, maker: object) -> None:
        if maker is not _MAKER:
            raise TypeError("a permit is made by Permit.for_run, which looks whether the run may act")

    @classmethod
    def for_run(
        cls,
        run_id: str,
        tags: Mapping[str, str],
        days: DayRange,
        latest: date,
        fresh: Mapping[str, bool | None],
        now: datetime,
    ) -> "Permit":
        """The permit of a run, or `NotLive` with the reason why it has none.

        `latest` is the workspace's latest full day. `fresh` says of each source that the scan read whether it is fresh;
        None is unknown, which is not fresh. `now` is an aware time.
        """
        if BACKFILL_TAG in tags:
            raise NotLive("this run is part of a backfill, which computes what would have been done and does nothing")
        if len(days) != 1:
            raise NotLive(f"this run scans {len(days)} days, {days.first} to {days.last}; only a scan of one day acts")
        if days.first != latest:
            raise NotLive(f"this run scans {days.first}, but the latest full day is {latest}; only its scan acts")
        stale = sorted(name for name, answer in fresh.items() if answer is not True)
        if stale or not fresh:
            raise NotLive(
                f"the newest data of {', '.join(stale) or 'every source'} is old or unknown; refresh it first"
            )
        return cls(days.first, run_id, now, _MAKER)


@dataclass(frozen=True)
class Decision:
    """A person's decision about a review item: the authority for what follows from it. `reviews.carry_on` makes it."""

    item_id: str
    who: str
    at: datetime


Authority = Permit | Decision
