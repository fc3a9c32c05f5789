"""Faults of the machine: a full disk, and two processes on one home; the lake stays whole."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import ibis
import pytest

from orchestration_project.lake import Lake

INGEST = """
import sys
from datetime import date
from pathlib import Path
from orchestration_project.engine import EngineError
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import FilesSource
from orchestration_project.sources.files import Files
from orchestration_project.sources.ingest import ingest

home, file, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
source = FilesSource(connector="files", path=file)
try:
    with Workspace(Home(home)).lake() as lake:
        for _ in range(times):
            with lake.engine.scope():
                files = Files("customers", source, home, lake.engine)
                found = ingest("customers", files, source, lake.engine, date(2026, 11, 23), 6)
                lake.replace("customers", found.table)
                lake.replace("quarantine", found.quarantine.mutate(source=found.quarantine.reason[:0] + "customers"),
                             ["customers"], "source")
except EngineError as error:
    print(error)
"""
ROOT = Path(__file__).parents[2]


def write(file: Path, name: str, rows: int, bad: int = 0) -> None:
    lines = [f"{name}{n},{os.urandom(24).hex()},{name},2025-01-01" for n in range(rows)]
    lines += [f"{name}-bad{n},,{name},never" for n in range(bad)]
    file.write_text("\n".join(["customer_id,name,segment,signed_up_at", *lines]) + "\n")


def start(home: Path, file: Path, times: int = 1, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", INGEST, str(home), str(file), str(times)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finished(process: subprocess.Popen) -> str:
    said, failure = process.communicate(timeout=60)
    assert process.returncode == 0, failure
    return said.strip()


def whole(lake: Lake) -> tuple[list[str], int]:
    rows = lake.engine.rows(lake.read("customers").select("segment"))
    return sorted({row["segment"] for row in rows}), len(rows)


def is_one_sentence_about_a_full_disk(said: str) -> bool:
    return said.startswith("The disk is full (") and "free some space" in said and "\n" not in said


def test_a_disk_that_fills_up_ends_in_one_sentence_and_leaves_the_old_table(engine, tmp_path):
    write(tmp_path / "large.csv", "B", 20_000)
    lake = Lake(tmp_path / "lake", engine)
    lake.replace("customers", ibis.memtable({"segment": ["A"] * 300}))

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = finished(start(tmp_path, tmp_path / "large.csv", preexec_fn=no_large_files))
    assert is_one_sentence_about_a_full_disk(said), said
    assert whole(lake) == (["A"], 300)
    lake.close()
    assert list((tmp_path / "lake" / ".staging").iterdir()) == []


def test_a_full_file_system_ends_in_one_sentence_and_leaves_the_old_table(tmp_path):
    isolated = ("unshare", "--user", "--map-root-user", "--mount")
    small = tmp_path / "small disk"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=600k none "{small}"'
    if (
        shutil.which("unshare") is None
        or subprocess.run([*isolated, "sh", "-c", mount], capture_output=True).returncode
    ):
        pytest.skip("a user may not mount a small disk on this machine")
    write(tmp_path / "small.csv", "A", 300)
    write(tmp_path / "large.csv", "B", 20_000)
    script = f"""{mount} && "$@" "{small}" "{tmp_path}/small.csv" 1 && "$@" "{small}" "{tmp_path}/large.csv" 1
        cd "{small}" && find . -type f"""
    command = [*isolated, "sh", "-c", script, "sh", sys.executable, "-c", INGEST]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    first, *files = said.stdout.splitlines()
    assert is_one_sentence_about_a_full_disk(first), said
    assert sorted(files) == ["./lake/customers/part-0.parquet", "./lake/quarantine/source=customers/part-0.parquet"]


def test_two_processes_on_one_home_leave_whole_tables(engine, tmp_path):
    sizes = {"A": (700, 3), "B": (9_000, 70)}
    for name, (rows, bad) in sizes.items():
        write(tmp_path / f"{name}.csv", name, rows, bad)
    both = [start(tmp_path, tmp_path / f"{name}.csv", times=4) for name in sizes]
    assert [finished(process) for process in both] == ["", ""]
    lake = Lake(tmp_path / "lake", engine)
    (name,), rows = whole(lake)
    assert rows == sizes[name][0]
    quarantine = engine.rows(lake.read("quarantine", ["customers"], "source").select("original"))
    (name,) = {row["original"].partition("segment=")[2][0] for row in quarantine}
    assert len(quarantine) == sizes[name][1]
    lake.close()
    assert list((tmp_path / "lake" / ".staging").iterdir()) == []
