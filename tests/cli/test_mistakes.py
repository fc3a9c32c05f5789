"""What a person gets wrong: one sentence that names culprit, cause and fix, exit code 1; 2 for usage."""

from datetime import UTC, datetime, timedelta

import pytest

YESTERDAY = (datetime.now(UTC) - timedelta(1)).date()
TOMORROW = YESTERDAY + timedelta(2)
NO_HOME = {
    "scan": ("scan",),
    "backfill": ("backfill", "--from", "2026-01-01"),
    "top": ("top",),
    "explain": ("explain", "C1"),
    "sources check": ("sources", "check"),
}


@pytest.mark.parametrize("command", NO_HOME)
def test_without_a_home_every_command_says_how_to_make_one_and_makes_none(shell, command):
    assert shell(*NO_HOME[command]).sentence == (
        f"{shell.home} is no home yet; run `orchestrate init --home {shell.home}` first."
    )
    assert not shell.home.exists()


def test_the_doctor_without_a_home_says_how_to_make_one(shell):
    outcome = shell("doctor", "--json")
    assert outcome.code == 1
    assert outcome.json[-1] == {
        "what": "Home", "state": "error", "found": f"{shell.home} is none",
        "fix": f"run `orchestrate init --home {shell.home}`",
    }  # fmt: skip


WITH_SETTINGS = {**NO_HOME, "demo": ("demo",)}


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_a_setting_that_is_none_is_named_with_its_file_and_the_known_ones(small, command):
    small.settings(engine={"memory": "1GB"})
    assert small(*WITH_SETTINGS[command]).sentence == (
        f"{small.home}/settings.yaml: `engine.memory` is not a setting; remove it or correct its name "
        "(known: memory_limit, threads, spill_folder, rows_at_once)."
    )


def test_the_doctor_names_a_bad_setting_and_what_to_do(small):
    small.settings(schedule={"timezone": "Berlin"})
    outcome = small("doctor", "--json")
    assert outcome.code == 1
    (error,) = (each for each in outcome.json if each["state"] == "error")
    assert error["what"] == "Settings"
    assert "`schedule.timezone` does not fit: 'Berlin' is no time zone" in error["found"]
    assert error["fix"]


def test_the_doctor_of_a_home_that_was_never_scanned_says_so(small):
    outcome = small("doctor", "--json")
    findings = {each["what"]: each for each in outcome.json}
    assert outcome.code == 0
    assert findings["Scans"]["fix"] == f"run `orchestrate scan --home {small.home}`"
    assert findings["Sources"]["found"] == "connected: customers"
    assert [each for each in findings.values() if each["state"] != "ok" and not each["fix"]] == []


def test_the_doctor_says_where_the_schedule_ticks_before_scan_days_close(small):
    small.settings(schedule={"timezone": "Europe/Berlin", "hour": 7})
    findings = {each["what"]: each for each in small("doctor", "--json").json}
    assert findings["Schedule"]["state"] == "warning"
    assert findings["Schedule"]["fix"] == "set `schedule.hour` to 8 or so"


DATES = {
    "a future --date": (("scan", "--date", TOMORROW), f"--date {TOMORROW}", f"{YESTERDAY}."),
    "a future --to": (("backfill", "--from", "2026-01-01", "--to", TOMORROW), f"--to {TOMORROW}", f"{YESTERDAY}."),
    "a future day of top": (("top", "--date", TOMORROW), f"--date {TOMORROW}", f"{YESTERDAY}."),
    "a --date before history": (
        ("scan", "--date", "2024-12-31"), "--date 2024-12-31",
        "`history_start` 2025-01-01 in settings.yaml; set that earlier.",
    ),
    "garbage": (("scan", "--date", "soon"), "--date 'soon' is no date", "write it as 2026-11-22."),
    "a garbage --from": (
        ("backfill", "--from", "2026-02-30"), "--from '2026-02-30' is no date", "write it as 2026-11-22.",
    ),
    "--from after --to": (
        ("backfill", "--from", "2026-01-02", "--to", "2026-01-01"), "--from 2026-01-02", "--to 2026-01-01; swap them."
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DATES)
def test_a_date_that_can_not_be_is_named_with_its_option_and_what_would_do(small, case):
    arguments, culprit, fix = DATES[case]
    sentence = small(*arguments).sentence
    assert sentence.startswith(culprit)
    assert sentence.endswith(fix)
    assert not (small.home / "lake").exists()


@pytest.mark.parametrize("arguments", [("top",), ("explain", "C1")])
def test_before_the_first_scan_the_command_for_it_is_named(small, arguments):
    expected = f"{small.home} has no scan yet; run `orchestrate scan --home {small.home}`."
    assert small(*arguments).sentence == expected


def test_a_scan_that_a_check_stopped_says_which_and_what_to_look_at(small):
    (small.home / "customers.csv").write_text(
        "customer_id,signed_up_at,plan\nC1,2024-01-01,pro\nC2,2024-01-01,\n", "utf-8"
    )
    sentence = small("scan").sentence
    assert sentence.startswith("The scan stopped: check profiles_complete of customer_profiles did not pass (")
    assert "share(complete) > 0.95" in sentence
    assert "share complete 0.5, least covered plan 50.0%" in sentence
    assert "Nothing that depends on it was computed" in sentence
    assert sentence.endswith("Mend what it is about, or change the criterion in the workflow's manifest.")
    assert small("top").sentence.endswith(f"run `orchestrate scan --home {small.home}`.")


def test_a_source_that_is_not_there_is_named_by_scan_and_by_sources_check(small):
    (small.home / "customers.csv").unlink()
    culprit = f"customers: no file matches {small.home}/customers.csv"
    assert small("scan").sentence.startswith(culprit)
    outcome = small("sources", "check", "--json")
    assert outcome.code == 1
    assert outcome.json[0]["state"] == "error"
    assert outcome.json[0]["findings"][0].startswith(culprit)


def test_sources_check_for_people_names_what_is_not_connected(small):
    outcome = small("sources", "check")
    assert outcome.code == 0
    assert "not connected" in outcome.out
    assert "invoices" in outcome.out


USAGE = {
    "unknown command": ("fly",),
    "unknown option": ("scan", "--fast"),
    "absent argument": ("explain",),
    "absent option": ("backfill",),
    "no number": ("top", "--limit", "many"),
    "too small": ("top", "--limit", "0"),
    "too many days": ("demo", "--days", "501"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_exit_code_2_and_no_traceback(shell, case):
    outcome = shell(*USAGE[case])
    assert outcome.code == 2
    assert "Usage: orchestrate" in outcome.err
    assert "Traceback" not in outcome.err
    assert not shell.home.exists()
