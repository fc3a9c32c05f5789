"""`python -m benchmarks [NAME ...]`: measures all or the named ones, prints, and writes `benchmarks/results.json`."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import measures
from benchmarks.accuracy import accuracy
from benchmarks.acting import acting
from benchmarks.collection import collection
from benchmarks.drafting import drafting
from benchmarks.refits import refits
from benchmarks.year import year

ALL = measures.ALL | {
    "refits": refits, "accuracy": accuracy, "collection": collection, "drafting": drafting, "acting": acting,
    "year": year,
}  # fmt: skip
RESULTS = Path(__file__).with_name("results.json")


def main(wanted: list[str]) -> None:
    """Runs the wanted measures, all by default, in a folder that is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")))
    results = json.loads(RESULTS.read_text()) if wanted and RESULTS.exists() else {}
    try:
        for name, measure in ALL.items():
            if not wanted or name in wanted:
                print(f"measuring {name} ...", flush=True)
                results[name] = measure(folder)
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(results)


def show(results: dict[str, list[measures.Row]]) -> None:
    """Prints all results as one table."""
    table = Table("measure", "what", "figure", "limit", "holds")
    for name, rows in results.items():
        for row in rows:
            holds = "" if row["holds"] is None else "yes" if row["holds"] else "NO"
            table.add_row(name, row["what"], row["figure"], row["limit"], holds)
    Console(width=150).print(table)


main(sys.argv[1:])
