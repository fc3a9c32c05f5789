"""The lake: partitions are replaced whole, and any tool reads them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from orchestration_project.engine import Engine
from orchestration_project.lake import ABANDONED_SECONDS, Lake, LakeError

MONDAY, TUESDAY, WEDNESDAY = "2026-11-16", "2026-11-17", "2026-11-18"


@pytest.fixture
def lake(tmp_path: Path, engine: Engine) -> Iterator[Lake]:
    opened = Lake(tmp_path / "lake", engine)
    yield opened
    opened.close()


def scores(*rows: tuple[str, str, float]) -> ir.Table:
    columns = {"customer_id": "string", "scan_day": "string", "score": "float64"}
    values = {name: [row[n] for row in rows] for n, name in enumerate(columns)}
    return ibis.memtable(pd.DataFrame(values).astype({"score": float}), schema=columns)


def stored(lake: Lake, *days: str) -> list[tuple[str, str, float]]:
    rows = lake.engine.rows(lake.read("scores", days, "scan_day"))
    return sorted((row["customer_id"], str(row["scan_day"]), row["score"]) for row in rows)


def test_what_was_written_is_read_back_with_its_partition_as_a_column(lake: Lake) -> None:
    rows = [("C1", MONDAY, 2.0), ("C1", TUESDAY, 3.5), ("C2", TUESDAY, 8.0)]
    lake.replace("scores", scores(*rows), [MONDAY, TUESDAY], "scan_day")
    assert stored(lake, MONDAY, TUESDAY) == rows
    assert stored(lake, TUESDAY) == rows[1:]
    assert lake.partitions("scores") == [MONDAY, TUESDAY]


def test_a_replaced_partition_has_only_new_rows_and_others_stay(lake: Lake) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0), ("C1", TUESDAY, 3.0)), [MONDAY, TUESDAY], "scan_day")
    lake.replace("scores", scores(("C9", TUESDAY, 9.0)), [TUESDAY], "scan_day")
    assert stored(lake, MONDAY, TUESDAY) == [("C1", MONDAY, 2.0), ("C9", TUESDAY, 9.0)]


@pytest.mark.parametrize("days", [[MONDAY], [MONDAY, TUESDAY]])
def test_only_rows_that_pass_replace_what_was_and_they_are_judged_before_anything_is_replaced(
    lake: Lake, days: list[str]
) -> None:
    lake.replace("scores", scores(*(("C1", day, 1.0) for day in days)), days, "scan_day")
    seen: list[int] = []

    def passing(rows: ir.Table) -> ir.Table:
        assert stored(lake, *days) == [("C1", day, 1.0) for day in days]
        seen.append(lake.engine.value(rows.count()))
        return rows.filter(rows.score <= 10)

    rows = [*(("C1", day, 2.0) for day in days), ("C2", days[-1], 11.0)]
    lake.replace("scores", scores(*rows), days, "scan_day", passing=passing)
    assert seen == [len(rows)]
    assert stored(lake, *days) == rows[:-1]


def test_rows_that_may_not_pass_at_all_leave_what_was(lake: Lake) -> None:
    def refuse(rows: ir.Table) -> ir.Table:
        raise ValueError(rows.columns)

    lake.replace("scores", scores(("C1", MONDAY, 1.0)), [MONDAY], "scan_day")
    with pytest.raises(ValueError, match="score"):
        lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day", passing=refuse)
    assert stored(lake, MONDAY) == [("C1", MONDAY, 1.0)]


def test_partitions_of_another_shape_are_told(lake: Lake) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 1.0), ("C1", TUESDAY, 1.0)), [MONDAY, TUESDAY], "scan_day")
    assert lake.shapes("scores", [MONDAY, TUESDAY], "scan_day") == [MONDAY]
    lake.replace("scores", scores(("C1", WEDNESDAY, 1.0)).mutate(extra=1), [WEDNESDAY], "scan_day")
    assert lake.shapes("scores", [MONDAY, TUESDAY, WEDNESDAY], "scan_day") == [MONDAY, WEDNESDAY]


def test_a_day_without_rows_becomes_an_empty_partition_that_keeps_its_columns(lake: Lake) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0), ("C1", TUESDAY, 3.0)), [MONDAY, TUESDAY], "scan_day")
    lake.replace("scores", scores(("C1", MONDAY, 4.0)), [MONDAY, TUESDAY], "scan_day")
    assert stored(lake, MONDAY, TUESDAY) == [("C1", MONDAY, 4.0)]
    assert stored(lake, TUESDAY) == []
    assert set(lake.read("scores", [TUESDAY], "scan_day").columns) == {"customer_id", "scan_day", "score"}


def test_a_range_without_any_row_becomes_empty_partitions(lake: Lake) -> None:
    lake.replace("scores", scores(), [MONDAY, TUESDAY], "scan_day")
    assert lake.partitions("scores") == [MONDAY, TUESDAY]
    assert stored(lake, MONDAY, TUESDAY) == []


def test_an_unpartitioned_table_is_one_file_that_is_replaced(lake: Lake) -> None:
    for score in (1.0, 2.0):
        lake.replace("customers", scores(("C1", MONDAY, score)))
    assert lake.engine.rows(lake.read("customers")) == [{"customer_id": "C1", "scan_day": MONDAY, "score": 2.0}]
    assert [file.name for file in (lake.folder / "customers").iterdir()] == ["part-0.parquet"]
    assert lake.partitions("customers") == []


def test_a_table_is_there_once_it_was_written_and_gone_once_it_was_removed(lake: Lake) -> None:
    assert not lake.has("customers")
    assert not lake.has("scores")
    lake.replace("customers", scores())
    lake.replace("scores", scores(), [MONDAY], "scan_day")
    assert lake.has("customers")
    assert lake.has("scores")
    lake.remove("scores")
    lake.remove("never written")
    assert not lake.has("scores")
    assert lake.has("customers")


def test_many_days_written_by_many_threads_are_one_file_each(lake: Lake) -> None:
    days = [f"2026-{month:02}-{day:02}" for month in (9, 10) for day in range(1, 31)]
    rows = ibis.memtable({"scan_day": days}).cross_join(ibis.range(0, 300).unnest().name("n").as_table())
    lake.replace("wide", rows, days, "scan_day")
    assert [len(list(folder.iterdir())) for folder in (lake.folder / "wide").iterdir()] == [1] * 60
    assert lake.engine.value(lake.read("wide", days, "scan_day").count()) == 60 * 300


@pytest.mark.parametrize("keys", [[MONDAY], [MONDAY, TUESDAY]])
def test_rows_of_other_keys_are_refused_and_nothing_is_replaced(lake: Lake, keys: list[str]) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day")
    stray = scores(("C1", MONDAY, 9.0), ("C1", WEDNESDAY, 9.0))
    with pytest.raises(LakeError, match=rf"scores was to be written for other partitions than \['{WEDNESDAY}'\]"):
        lake.replace("scores", stray, keys, "scan_day")
    assert stored(lake, MONDAY) == [("C1", MONDAY, 2.0)]
    assert lake.partitions("scores") == [MONDAY]


def test_a_row_without_a_key_is_refused(lake: Lake) -> None:
    nowhere = scores(("C1", MONDAY, 9.0)).mutate(scan_day=ibis.null("string"))
    with pytest.raises(LakeError, match=r"other partitions than \['null'\]"):
        lake.replace("scores", nowhere, [MONDAY], "scan_day")


def test_one_large_partition_can_be_read_by_more_than_one_thread(lake: Lake) -> None:
    rows = ibis.range(0, 100_000).unnest().name("n").as_table().mutate(scan_day=ibis.literal(MONDAY))
    lake.replace("wide", rows, [MONDAY], "scan_day")
    written = pq.ParquetFile(lake.folder / "wide" / f"scan_day={MONDAY}" / "part-0.parquet")
    assert written.num_row_groups > 1
    assert written.schema.names == ["n"]


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ([TUESDAY], f"The lake has no scores for scan_day {TUESDAY}; run `orchestrate backfill` for it first."),
        (
            [MONDAY, TUESDAY, WEDNESDAY],
            f"The lake has no scores for scan_day {TUESDAY} to {WEDNESDAY}; run `orchestrate backfill` for it first.",
        ),
        ([], "The lake has no scores for any scan_day; run `orchestrate backfill` for it first."),
    ],
)
def test_absent_partitions_are_named_with_the_command_that_makes_them(
    lake: Lake, days: list[str], sentence: str
) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day")
    with pytest.raises(LakeError) as raised:
        lake.read("scores", days, "scan_day")
    assert str(raised.value) == sentence


def test_an_absent_table_is_named_with_the_command_that_makes_it(lake: Lake) -> None:
    with pytest.raises(LakeError) as raised:
        lake.read("customers")
    assert str(raised.value) == "The lake has no customers for any row; run `orchestrate scan` for it first."


def test_other_tools_read_the_lake_by_its_hive_folders(lake: Lake) -> None:
    rows = [("C1", MONDAY, 2.0), ("C2", TUESDAY, 8.0)]
    lake.replace("scores", scores(*rows), [MONDAY, TUESDAY, WEDNESDAY], "scan_day")
    by_pandas = pd.read_parquet(lake.folder / "scores")
    assert sorted(zip(by_pandas.customer_id, by_pandas.scan_day.astype(str), by_pandas.score, strict=True)) == rows
    by_arrow = ds.dataset(lake.folder / "scores", partitioning="hive").to_table(filter=ds.field("scan_day") == TUESDAY)
    assert by_arrow.select(["customer_id", "score"]).to_pylist() == [{"customer_id": "C2", "score": 8.0}]


@pytest.mark.parametrize("days", [[MONDAY], [MONDAY, TUESDAY], [None]])
def test_files_of_a_table_have_the_same_columns_whether_or_not_rows_lack_a_value(
    lake: Lake, engine: Engine, days: list[str | None]
) -> None:
    names = [day for day in days if day]
    whole = engine.keep(scores(*(("C1", day, 1.0) for day in names or [MONDAY])))
    lake.replace("scores", whole, names or None, "scan_day" if names else None)
    written = [pq.read_schema(file) for file in (lake.folder / "scores").rglob("*.parquet")]
    assert written and all(field.nullable for schema in written for field in schema)


def test_a_table_that_was_read_may_be_replaced_by_what_is_computed_from_it(lake: Lake) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day")
    before = lake.read("scores", [MONDAY], "scan_day")
    lake.replace("scores", before.mutate(score=before.score + 1), [MONDAY], "scan_day")
    assert stored(lake, MONDAY) == [("C1", MONDAY, 3.0)]


def test_nothing_stays_in_staging_and_what_killed_runs_left_goes_after_a_day(lake: Lake) -> None:
    staging = lake.folder / ".staging"
    for name, age in {"recent": 0, "abandoned": ABANDONED_SECONDS + 60}.items():
        (staging / name).mkdir(parents=True)
        (staging / name / "half.parquet").write_bytes(b"PAR1")
        then = time.time() - age
        os.utime(staging / name, (then, then))
    lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day")
    stored(lake, MONDAY)
    lake.close()
    assert [folder.name for folder in staging.iterdir()] == ["recent"]


def test_a_failed_write_leaves_neither_staging_nor_a_change(lake: Lake) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day")
    broken = scores(("C1", MONDAY, 2.0)).mutate(score=ibis.literal("no number").cast("float64"))
    with pytest.raises(Exception, match="no number"):
        lake.replace("scores", broken, [MONDAY], "scan_day")
    assert stored(lake, MONDAY) == [("C1", MONDAY, 2.0)]
    lake.close()
    assert list((lake.folder / ".staging").iterdir()) == []


def test_what_was_read_stays_what_it_was_while_another_replaces_it(lake: Lake, engine: Engine) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0)), [MONDAY], "scan_day")
    before = lake.read("scores", [MONDAY], "scan_day")
    Lake(lake.folder, engine).replace("scores", scores(("C9", MONDAY, 9.0)), [MONDAY], "scan_day")
    assert [row["customer_id"] for row in engine.rows(before)] == ["C1"]
    assert stored(lake, MONDAY) == [("C9", MONDAY, 9.0)]


def test_the_size_of_a_table_is_that_of_its_files(lake: Lake) -> None:
    lake.replace("scores", scores(("C1", MONDAY, 2.0), ("C1", TUESDAY, 3.0)), [MONDAY, TUESDAY], "scan_day")
    assert lake.size("scores") == sum(file.stat().st_size for file in (lake.folder / "scores").glob("*/*"))
    assert lake.size("nothing") == 0
