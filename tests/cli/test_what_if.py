"""`what-if`: what other weights or settings would have told, and that nothing is changed by asking."""

import hashlib
from datetime import timedelta

import pytest

from orchestration_project.settings import Home

SETTING = "risk.scoring.weights.usage_decline"


@pytest.fixture
def what_if(demo, copy):
    """Asks about the days that the demo scanned."""

    def ask(*changes):
        return copy("what-if", "--from", demo.yesterday - timedelta(days=1), *changes, "--json").json

    return ask


def held(home):
    """Digest of every file that tells anything; not of the engine's scratch."""
    files = (file for part in ("lake", "versions") for file in (home / part).rglob("*") if file.is_file())
    kept = [home / "settings.yaml", home / "sources.yaml", *files]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in kept}


def test_the_weights_in_force_would_have_told_what_they_told_and_nothing_is_changed(copy, what_if):
    before = held(copy.home)
    told = what_if("--version", "prior-1")
    assert told["customer_days"] > 50
    assert all(each["before"] == each["after"] for each in told["bands"])
    assert told["alerts"]["before"] == told["alerts"]["after"]
    assert told["outcomes"]["known"] == 0
    assert held(copy.home) == before


SETTINGS = {"severities": {"decline_threshold_pct": 0.0, "stopped_min_days": 3}, "kinds_tracked": 2}
TOLD_AS_SETTINGS = ("risk.kinds_tracked=2", "risk.severities.decline_threshold_pct=0.0",
                    "risk.severities.stopped_min_days=3")  # fmt: skip
BANDS = {f"connections.{n}.when.score": between for n, between in (
    (2, {"below": 2.5}), (3, {"at_least": 2.5, "below": 5.0}), (4, {"at_least": 5.0})
)}  # fmt: skip
TOLD_AS_BANDS = ("risk.scoring.medium_from=2.5", "risk.scoring.high_from=5.0")


@pytest.mark.parametrize(("asked", "settings", "bands"), [(TOLD_AS_SETTINGS, SETTINGS, {}), (TOLD_AS_BANDS, {}, BANDS)])
def test_what_a_change_would_have_told_is_what_a_scan_under_it_tells(
    demo, copy, what_if, own_manifest, asked, settings, bands
):
    told = what_if(*(option for each in asked for option in ("--set", each)))
    expected = {}
    for each in told["bands"]:
        expected[each["after"]] = expected.get(each["after"], 0) + each["customer_days"]
    assert any(each["before"] != each["after"] for each in told["bands"])

    copy.settings(risk=settings)
    own_manifest(Home(copy.home), bands)
    assert copy("backfill", "--from", demo.yesterday - timedelta(days=1), "--json").code == 0
    again = what_if("--version", "prior-1")
    assert {each["before"]: each["customer_days"] for each in again["bands"]} == expected


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((), "Nothing is changed, so there is nothing to compare; pass --version or --set."),
        (("--set", "engine.threads=1"), "names no setting of `risk`; write it as risk.scoring.high_from=7."),
        (("--set", "risk.scoring.high_from"), "names no setting of `risk`"),
        (("--set", "risk.scoring.height=7"), "`risk.scoring.height` is not a setting"),
        (("--set", "risk.moon.high_from=7"), "is not a setting; docs/settings.md has them all."),
        (("--set", "risk.scoring.high_from=2"), "medium_from (4) must be below high_from (2)"),
        (("--set", "risk.scoring.high_from={"), "has a value that is no YAML"),
        (("--version", "learned-x"), "nothing can be computed with version learned-x"),
        (("--version", "moon"), "There are no weights 'moon'"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(demo, copy, changes, told):
    assert told in copy("what-if", "--from", demo.yesterday, *changes).sentence


def test_days_that_were_never_scanned_are_named_with_the_command_that_scans_them(demo, copy):
    sentence = copy("what-if", "--from", demo.yesterday - timedelta(days=20), "--version", "prior-1").sentence
    assert "The lake has no risk_scores for scan_day" in sentence
    assert "orchestrate backfill" in sentence


def test_people_read_bands_and_alerts_as_tables(demo, copy):
    printed = copy("what-if", "--from", demo.yesterday, "--set", "risk.scoring.medium_from=3").out
    assert "customer-days move to another band" in printed
    assert "new per week" in printed
    assert "nothing to judge by" in printed
