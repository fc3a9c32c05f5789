"""Unfolding: a simulated company moved on day by day, so that what is done on a day can follow from what was known."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration_project.sources.simulation.chance import Chance
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.days import DAY, LATEST_RECORDING, Today, known
from orchestration_project.sources.simulation.history import versions
from orchestration_project.sources.simulation.lives import Lives
from orchestration_project.sources.simulation.profiles import day_number, draw_profiles
from orchestration_project.sources.simulation.simulate import DAILY, fates, positions

SETTLED_SOON = ("usage_events", "engagements")
"""Tables of which nothing changes once it has been recorded."""


class Unfolding:
    """A company at the end of `day`: the same that `simulate` writes of it, at the cost of one day for each day."""

    def __init__(self, company: Company) -> None:
        self.day = company.start - timedelta(days=1)
        self._chance = Chance(company.seed)
        self._profiles = draw_profiles(company, self._chance)
        self._lives = Lives(company, self._profiles, self._chance)
        self._rows: dict[str, dict[str, list[pa.Table]]] = {name: {} for name in DAILY}

    def advance(self, outreach: Sequence[str] = ()) -> None:
        """Lives through the next day, on which these customers receive an outreach."""
        self.day += timedelta(days=1)
        self._lives.advance(day_number(self.day), positions(self._profiles, pa.array(outreach, pa.string())))
        today = Today(self.day, self._profiles, self._chance, self._lives)
        for name, rows_of in DAILY.items():
            self._rows[name].setdefault(f"{self.day:%Y-%m}", []).append(rows_of(today))

    def write(self, folder: Path) -> None:
        """Brings `folder/tables` up to date with what is known at the end of the day."""
        end = (day_number(self.day) + 1) * DAY
        for name, months in self._rows.items():
            for month, parts in months.items():
                _write(folder, name, month, known(name, pa.concat_tables(parts), end))
        customers = versions(self._profiles, self._lives, self._chance, end)
        _write(folder, "customers", "customers", pa.concat_tables(customers))
        self._let_go()

    def fates(self) -> pa.Table:
        """Who leaves, how and when, as far as it is decided by now."""
        return fates(self._profiles, self._lives, day_number(self.day))

    def _let_go(self) -> None:
        """Forgets the rows of months of which everything has been written."""
        open_from = f"{self.day - timedelta(days=LATEST_RECORDING + 1):%Y-%m}"
        for name in SETTLED_SOON:
            self._rows[name] = {month: parts for month, parts in self._rows[name].items() if month >= open_from}


def _write(folder: Path, table: str, name: str, rows: pa.Table) -> None:
    file = folder / "tables" / table / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without the Arrow schema a reader sees plain strings where the writer holds dictionaries.
    pq.write_table(rows, file, store_schema=False)
