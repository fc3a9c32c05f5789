"""Sample: the 50-customer extract in `data/sample` as CSV, the template for a company's own export.

Regenerate it with `python -m orchestration_project.sources.simulation.sample [FOLDER]`.
"""

import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.simulate import simulate

SAMPLE = Company(customers=50, seed=7, start=date(2026, 1, 1), months=4, monthly_churn=0.06, missing_rate=0)
UNTIL = date(2026, 6, 30)


def write_sample(folder: Path) -> None:
    """Write one CSV file per canonical table, with every canonical column."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        company = Path(scratch) / "company"
        simulate(SAMPLE, UNTIL, company)
        for name in SOURCE_TABLES:
            files = sorted((company / "tables" / name).glob("*.parquet"))
            rows = pa.concat_tables(pq.read_table(file) for file in files)
            csv.write_csv(_to_the_second(rows), folder / f"{name}.csv", csv.WriteOptions(quoting_style="needed"))


def _to_the_second(rows: pa.Table) -> pa.Table:
    times = [pa.timestamp("s") if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.column_names, times, strict=True))))


if __name__ == "__main__":
    write_sample(Path(*sys.argv[1:]) if sys.argv[1:] else Path("data/sample"))
