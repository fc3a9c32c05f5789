"""Simulate: day after day, a company's settings become its tables and the truth behind them."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration_project.sources.simulation.chance import Chance, Ints
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.days import (
    DAY,
    Today,
    coded,
    engagements,
    invoices,
    known,
    support_tickets,
    usage_events,
)
from orchestration_project.sources.simulation.history import versions
from orchestration_project.sources.simulation.lives import NEVER, WAYS, Lives
from orchestration_project.sources.simulation.profiles import Profiles, day_number, draw_profiles
from orchestration_project.sources.simulation.writer import TableWriter, staged

DAILY: Mapping[str, Callable[[Today], pa.Table]] = {
    "usage_events": usage_events,
    "support_tickets": support_tickets,
    "invoices": invoices,
    "engagements": engagements,
}
FORESIGHT = 90
"""Days after the last one that the truth, and only the truth, knows about."""


def simulate(company: Company, until: date, folder: Path, outreach: pa.Table | None = None) -> None:
    """Write what is known of a company at the end of a day to `folder/tables`, and the truth to `folder/truth`.

    `outreach` has columns customer_id and day. A later `until` adds rows and fills in how tickets and invoices
    ended; it changes nothing else.
    """
    chance = Chance(company.seed)
    profiles = draw_profiles(company, chance)
    lives = Lives(company, profiles, chance)
    treated = _treated(profiles, outreach)
    nobody, end = np.array([], dtype=np.int64), (day_number(until) + 1) * DAY
    with staged(folder) as staging:
        writers = {name: TableWriter(staging / "tables" / name) for name in (*DAILY, "customers")}
        truth = TableWriter(staging / "truth")
        for ahead in range((until - company.start).days + 1 + FORESIGHT):
            today = Today(company.start + timedelta(ahead), profiles, chance, lives)
            lives.advance(today.day, treated.get(today.day, nobody))
            if today.date <= until:
                for name, rows_of in DAILY.items():
                    writers[name].add(f"{today.date:%Y-%m}", known(name, rows_of(today), end))
                if today.date.day == 1 or today.date in (company.start, until):
                    truth.add("health", _health(today))
        truth.add("customers", fates(profiles, lives, day_number(until)))
        for rows in versions(profiles, lives, chance, end):
            writers["customers"].add("customers", rows)
        for writer in (*writers.values(), truth):
            writer.close()


def _health(today: Today) -> pa.Table:
    who = today.lives.active(today.day)
    return pa.table(
        {
            "customer_id": today.profiles.ids.take(pa.array(who)),
            "day": pa.repeat(pa.scalar(today.date), len(who)),
            "health": today.lives.health[who],
            "way": coded(today.lives.way[who], WAYS),
            "leave_probability": today.lives.leave_probability(who, today.day),
        }
    )


def fates(profiles: Profiles, lives: Lives, until: int) -> pa.Table:
    """Who of those who signed up by a day leaves, how and when, as far as it is decided in their lives."""
    who = np.flatnonzero(profiles.signed <= until)
    days = {
        "trouble_began_on": lives.began,
        "notice_on": lives.notice,
        "leaves_on": lives.leaves,
        "saved_on": lives.saved,
    }
    return pa.table(
        {
            "customer_id": profiles.ids.take(pa.array(who)),
            "way": coded(lives.way[who], WAYS),
            **{name: _dates(values[who]) for name, values in days.items()},
        }
    )


def _dates(days: Ints) -> pa.Array:
    return pa.array(days.astype("datetime64[D]"), mask=days == NEVER)


def _treated(profiles: Profiles, outreach: pa.Table | None) -> dict[int, Ints]:
    """The customers who receive an outreach, by day."""
    if outreach is None or outreach.num_rows == 0:
        return {}
    people = positions(profiles, outreach["customer_id"].cast(pa.string()))
    days = outreach["day"].cast(pa.date32()).cast(pa.int32()).to_numpy()
    return {int(day): people[days == day] for day in np.unique(days)}


def positions(profiles: Profiles, customers: pa.Array) -> Ints:
    """Where customers stand among all; `ValueError` for one who is not among them."""
    who = pc.index_in(customers, profiles.ids)
    if who.null_count:
        stranger = customers.filter(pc.is_null(who))[0]
        raise ValueError(f"Outreach names the customer {stranger}, who is not one of the {len(profiles.ids)} simulated")
    return who.to_numpy(zero_copy_only=False).astype(np.int64)
