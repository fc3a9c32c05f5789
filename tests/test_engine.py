"""Engine: computes expressions within its limits, and says in one sentence what it can't."""

# Canonical times are UTC and carry no zone.
# ruff: noqa: DTZ001

from datetime import datetime

import duckdb
import ibis
import pytest

from orchestration_project.engine import DataError, Engine, EngineError, computable, readable
from orchestration_project.settings import EngineSettings


@pytest.fixture
def small(tmp_path):
    started = Engine(EngineSettings(memory_limit="30MB", threads=1), tmp_path / "spill")
    yield started
    started.close()


def numbers(count):
    return ibis.range(0, count).unnest().name("n").as_table()


def test_limits_of_the_settings_hold(small, tmp_path):
    query = "SELECT name, value FROM duckdb_settings() WHERE name IN ('threads', 'temp_directory', 'TimeZone')"
    assert dict(small._duckdb.execute(query).fetchall()) == {
        "threads": "1",
        "temp_directory": str(tmp_path / "spill"),
        "TimeZone": "UTC",
    }


def test_too_little_memory_is_one_sentence_that_says_what_to_raise(small):
    with pytest.raises(EngineError) as raised:
        small.rows(numbers(600_000).mutate(t=ibis._.n.cast("string") * 20).agg(all=ibis._.t.collect().length()))
    assert "needs more memory" in str(raised.value)
    assert "raise `engine.memory_limit`" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_kept_is_forgotten_at_the_end_of_its_scope(engine):
    with engine.scope():
        outer = engine.keep(numbers(3))
        with engine.scope():
            inner = engine.keep(outer.filter(outer.n > 0))
            assert engine.value(inner.count()) == 2
        with pytest.raises(duckdb.CatalogException):
            engine.rows(inner)
        assert engine.value(outer.count()) == 3


def test_a_scope_ends_even_where_it_fails(engine):
    with pytest.raises(ZeroDivisionError), engine.scope():
        kept = engine.keep(numbers(3))
        raise ZeroDivisionError
    with pytest.raises(duckdb.CatalogException):
        engine.rows(kept)


def test_absent_values_are_none_and_times_are_utc(engine):
    table = ibis.memtable([{"t": "2026-03-01 10:00:00+02", "x": None}], schema={"t": "string", "x": "float64"})
    row = {"t": datetime(2026, 3, 1, 8), "x": None}
    assert engine.rows(table.mutate(t=table.t.cast("timestamp('UTC')").cast("timestamp"))) == [row]


def test_what_is_written_is_read_back_as_one_file_or_one_per_value(engine, tmp_path):
    rows = numbers(6).mutate(part=ibis._.n % 2)
    engine.write(rows, tmp_path / "one.parquet")
    assert engine.value(engine.parquet([tmp_path / "one.parquet"]).n.sum()) == 15
    engine.write(rows, tmp_path / "parts", partition="part")
    assert sorted(folder.name for folder in (tmp_path / "parts").iterdir()) == ["part=0", "part=1"]
    read = engine.parquet([tmp_path / "parts" / "part=1" / "part-0.parquet"], hive=True)
    assert sorted((row["n"], row["part"]) for row in engine.rows(read)) == [(1, 1), (3, 1), (5, 1)]


def test_names_with_quotes_are_bound_and_not_run(engine, tmp_path):
    folder = tmp_path / "it's; DROP TABLE x"
    folder.mkdir()
    engine.write(numbers(2), folder / "one.parquet")
    assert engine.value(engine.parquet([folder / "one.parquet"]).count()) == 2
    (folder / "it's.csv").write_text("a\"b' --\n1\n")
    table, rejected = engine.delimited(str(folder / "it's.csv"), "utf-8")
    assert (engine.rows(table), rejected) == ([{"a\"b' --": "1"}], [])
    (folder / "it's.jsonl").write_text('{"it\'s; --": 1}\n')
    table, rejected = engine.json_lines(str(folder / "it's.jsonl"))
    assert (engine.rows(table), rejected) == ([{"it's; --": "1"}], [])


def test_line_breaks_within_quotes_do_not_matter_where_a_file_is_read_in_parts(engine, tmp_path):
    value = "x" * 500 + "\n" + "y" * 500
    (tmp_path / "large.csv").write_text("a,b\n" + f'"{value}",1\n' * 34_000)
    table, rejected = engine.delimited(str(tmp_path / "large.csv"), "utf-8")
    assert rejected == []
    assert engine.rows(table.group_by("a", "b").agg(n=table.count())) == [{"a": value, "b": "1", "n": 34_000}]


def test_lines_longer_than_can_be_read_are_one_sentence(engine, tmp_path):
    (tmp_path / "long.csv").write_text('a,b\n1,"' + "x" * (1 << 25) + "\n")
    with pytest.raises(EngineError, match=r"long.csv can't be read: a line is longer than 16 MB .*; close the quote"):
        engine.delimited(str(tmp_path / "long.csv"), "utf-8")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            duckdb.IOException("IO Error: No files found that match a.csv"),
            "a.csv can't be read: no such file; correct `path`",
        ),
        (
            duckdb.IOException('IO Error: Cannot open file "a.csv": Permission denied'),
            "this user may not read it; change",
        ),
        (duckdb.InvalidInputException("too small to be a Parquet file"), "half-written?); write it again"),
        (PermissionError(13, "Permission denied", "a.csv"), "this user may not read it"),
        (
            duckdb.BinderException("Binder Error: something else\nmore"),
            "Binder Error: something else; write the file again",
        ),
    ],
)
def test_errors_about_a_file_are_one_sentence(error, words):
    with pytest.raises(EngineError) as raised, readable("a.csv"):
        raise error
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_of_many_files_the_one_at_fault_is_named():
    with pytest.raises(EngineError) as raised, readable("a.parquet", "b.parquet", "c.parquet"):
        raise duckdb.InvalidInputException("No magic bytes found at end of file 'c.parquet'")
    assert str(raised.value).startswith("c.parquet can't be read: it is not a complete Parquet file")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (duckdb.IOException('Could not write file "x": No space left on device'), EngineError, "The disk is full"),
        (duckdb.IOException("Could not write all bytes to file"), EngineError, "The disk is full"),
        (duckdb.IOException('IO Error: x: {"exception_message":"\\"x\\": File too large"}'), EngineError,
         r'^The disk is full \("x": File too large\); free some space'),
        (duckdb.IOException("something else"), EngineError, "check the disk"),
        (duckdb.OutOfMemoryException("failed to allocate"), EngineError, "raise `engine.memory_limit`"),
        (duckdb.OutOfMemoryException("max_temp_directory_size"), EngineError, "The disk is full"),
        (duckdb.ConversionException("Could not convert"), DataError, "write the file again"),
    ],
)  # fmt: skip
def test_errors_of_a_computation_are_one_sentence(error, kind, words):
    with pytest.raises(kind, match=words), computable():
        raise error


def test_a_bug_of_ours_is_not_dressed_up_as_a_fault_of_the_data():
    with pytest.raises(duckdb.BinderException), computable():
        raise duckdb.BinderException("no such column")
