"""Unfolding: a company moved on day by day is the one that is simulated at once."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.simulate import simulate
from orchestration_project.sources.simulation.unfolding import Unfolding

COMPANY = Company(customers=200, start=date(2025, 1, 1), months=4, monthly_churn=0.1, outreach_effect=0.9)


def reached(day: date) -> list[str]:
    """Some customers, others every day."""
    return [f"C{(n * 7 + day.toordinal() * 13) % 200 + 1:06d}" for n in range(5)]


def tables(folder: Path) -> dict[Path, pa.Table]:
    files = sorted((folder / "tables").rglob("*.parquet"))
    return {file.relative_to(folder): pq.read_table(file, partitioning=None) for file in files}


@pytest.mark.parametrize("until", [date(2025, 1, 1), date(2025, 4, 4), date(2025, 7, 13)])
def test_what_is_known_on_any_day_is_what_simulating_up_to_it_with_the_same_outreach_writes(
    tmp_path: Path, until: date
) -> None:
    unfolding, done = Unfolding(COMPANY), []
    while unfolding.day < until:
        today = unfolding.day + timedelta(days=1)
        unfolding.advance(reached(today))
        unfolding.write(tmp_path / "day by day")
        done += [{"customer_id": customer, "day": today} for customer in reached(today)]
    simulate(COMPANY, until, tmp_path / "at once", pa.Table.from_pylist(done))
    assert tables(tmp_path / "day by day") == tables(tmp_path / "at once")


def test_an_outreach_to_somebody_unknown_is_an_error() -> None:
    with pytest.raises(ValueError, match="Outreach names the customer X, who is not one of the 200 simulated"):
        Unfolding(COMPANY).advance(["C000001", "X"])
