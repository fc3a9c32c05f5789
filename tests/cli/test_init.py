"""`init`: the files of a new home."""

import yaml

from orchestration_project.settings import Home, Settings
from orchestration_project.sources.config import load_sources


def test_a_new_home_has_settings_and_sources_with_comments(shell):
    outcome = shell("init")
    assert outcome.code == 0
    assert outcome.out == ""
    assert f"Next: orchestrate sources check --home {shell.home}" in outcome.err
    home = Home(shell.home)
    assert home.settings().model_copy(update={"history_start": Settings().history_start}) == Settings()
    assert load_sources(home).connected == ["customers", "usage_events", "support_tickets", "invoices", "engagements"]
    assert "# Where each table of this company comes from" in home.sources_file.read_text(encoding="utf-8")
    assert yaml.safe_load((home.dagster / "dagster.yaml").read_text(encoding="utf-8"))["telemetry"] == {
        "enabled": False
    }


def test_every_setting_is_in_the_file_and_valid_once_its_comment_sign_is_removed(shell):
    shell("init")
    lines = Home(shell.home).settings_file.read_text(encoding="utf-8").splitlines()
    settings = "\n".join(line.removeprefix("#") for line in lines[2:])
    found = Settings.model_validate(yaml.safe_load(settings))
    assert found.model_copy(update={"history_start": Settings().history_start}) == Settings()
    assert yaml.safe_load(settings).keys() == Settings.model_fields.keys()


def test_a_home_that_is_there_is_not_touched(small):
    before = {file.name: file.read_bytes() for file in small.home.iterdir()}
    assert small("init").sentence == (
        f"{small.home}/sources.yaml is already there; nothing was changed. Name another folder with --home."
    )
    assert {file.name: file.read_bytes() for file in small.home.iterdir()} == before


def test_a_file_is_no_home(shell):
    shell.home.write_text("a file", encoding="utf-8")
    assert shell("init").sentence == f"{shell.home} is a file; name a folder with --home."


def test_an_unknown_example_is_refused_with_those_there_are(shell):
    assert "use one of complete-journey, cdnow" in shell("init", "--example", "netflix").sentence
    assert not shell.home.exists()
