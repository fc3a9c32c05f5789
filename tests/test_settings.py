"""Settings: safe defaults, and one sentence about whatever does not fit."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from orchestration_project.settings import Home, Settings, SettingsError, cutoff, last_full_day


@pytest.fixture
def read(tmp_path):
    def settings(content: str | bytes) -> Settings:
        (tmp_path / "settings.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        return Home(tmp_path).settings()

    return settings


def test_without_a_file_and_with_an_empty_one_every_default_holds(tmp_path, read):
    assert Home(tmp_path).settings() == Settings()
    assert read("") == read("# nothing\n") == Settings()


def test_what_is_said_replaces_the_default_and_nothing_else(read):
    settings = read("\ufeffhistory_start: 2025-02-03\nschedule: {timezone: Europe/Berlin}\n")
    assert settings.history_start == date(2025, 2, 3)
    assert (settings.schedule.timezone, settings.schedule.hour) == ("Europe/Berlin", 7)
    assert settings.risk == Settings().risk


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("histroy_start: 2025-01-01\n", ["`histroy_start` is not a setting", "correct its name", "history_start"]),
        ("engine: {memory: 4GB}\n", ["`engine.memory` is not a setting", "memory_limit, threads, spill_folder"]),
        ("engine: {memory_limit: lots}\n", ["`engine.memory_limit` does not fit", "correct it"]),
        ("engine: {threads: -1}\n", ["`engine.threads`", "greater than or equal to 0"]),
        ("schedule: {timezone: Berlin}\n", ["`schedule.timezone`", "'Berlin' is no time zone", "Europe/Berlin"]),
        ("schedule: {hour: 24}\n", ["`schedule.hour`", "less than or equal to 23"]),
        ("grace_hours: 100\nhistory_start: soon\n", ["`history_start`", "(1 more)"]),
        ("schedule:\n  hour: 7\n hour: 8\n", ["settings.yaml, line 3", "correct the YAML there"]),
        ("a: b: c\n", ["line 1", "mapping values are not allowed here"]),
        ("- 1\n", ["must hold `name: value` lines, not a list"]),
        (b"name: \xff\n", ["is not UTF-8 text; save it as UTF-8"]),
        ("schedule: {timezone: &a [*a]}\n", ["`schedule.timezone`"]),
        ("when: !!python/object:os.system x\n", ["line 1", "could not determine a constructor"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence_with_file_place_and_fix(read, content, words):
    with pytest.raises(SettingsError) as raised:
        read(content)
    message = str(raised.value)
    assert "settings.yaml" in message
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_a_file_that_is_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "settings.yaml").mkdir()
    with pytest.raises(SettingsError, match=r"settings.yaml can't be read \(Is a directory\); check that it"):
        Home(tmp_path).settings()


def test_every_setting_says_what_it_is():
    def unsaid(model, path=""):
        for name, field in model.model_fields.items():
            inner = field.annotation if hasattr(field.annotation, "model_fields") else None
            if not field.description:
                yield path + name
            if inner:
                yield from unsaid(inner, f"{path}{name}.")

    assert list(unsaid(Settings)) == []


def test_the_home_is_what_is_named_else_the_variable_else_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATE_HOME", raising=False)
    assert Home.find() == Home(tmp_path / ".orchestrate")
    monkeypatch.setenv("ORCHESTRATE_HOME", str(tmp_path / "there"))
    assert Home.find() == Home(tmp_path / "there")
    assert Home.find("named") == Home(tmp_path / "named")
    assert Home.find("~/named") == Home(Path.home() / "named")


def test_a_home_exists_once_it_has_sources(tmp_path):
    assert not Home(tmp_path).exists
    (tmp_path / "sources.yaml").touch()
    assert Home(tmp_path).exists


def test_the_last_full_day_is_of_utc_whatever_the_zone_of_the_clock():
    assert last_full_day(datetime(2026, 3, 1, 0, 0, tzinfo=UTC)) == date(2026, 2, 28)
    assert last_full_day(datetime(2026, 3, 1, 23, 0, tzinfo=timezone(-timedelta(hours=5)))) == date(2026, 3, 1)
    assert last_full_day(datetime(2024, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))) == date(2024, 2, 28)


def test_the_cut_off_is_the_end_of_the_day_plus_the_grace():
    assert cutoff(date(2026, 2, 28), 6.5) == datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
