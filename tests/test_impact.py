"""Impact: what is read from lake and store, what was known by a day, and what is kept for learning."""

from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

from orchestration_project.domain.days import DayRange
from orchestration_project.impact import Measuring, kept, sentence
from orchestration_project.operations import switches
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

DAY = date(2026, 3, 1)
MATURE = DAY + timedelta(90)
NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path):
    home = Home(tmp_path / "home")
    home.path.mkdir()
    home.settings_file.write_text(yaml.safe_dump({"engine": {"memory_limit": "1GB", "threads": 1}}))
    home.sources_file.write_text(yaml.safe_dump({"tables": {"customers": {"connector": "files", "path": "c.csv"}}}))
    return Workspace(home, lambda: NOW)


@pytest.fixture
def measure(workspace):
    """What could be told after the scan of each of some days."""

    def of(*days: date):
        with workspace.lake() as lake:
            return Measuring(lake, workspace).findings(DayRange(days[0], days[-1]))

    return of


def table(workspace, name):
    with workspace.lake() as lake:
        return lake.engine.rows(lake.read(name))


def values(finding, play=None, variant=None):
    return {row["metric"]: row for row in kept(finding) if (row["play"], row["variant"]) == (play, variant)}


def test_outcomes_are_told_once_the_horizon_is_over_and_only_of_what_was_done_by_then(workspace, tried, trial, measure):
    tried(workspace, trial("check_in", DAY, 400, 200, 40, 60))
    (before,), (early, ripe) = measure(DAY - timedelta(1)), measure(MATURE - timedelta(1), MATURE)[:2]
    assert before.assigned == {"treated": 0, "control": 0}
    assert (early.overall.waiting, early.overall.verdict) == (600, "not enough data")
    assert (ripe.overall.waiting, ripe.overall.verdict) == (0, "helps")
    lift = ripe.overall.lift
    assert (lift.treated.churners, lift.treated.customers) == (40, 400)
    assert (lift.control.churners, lift.control.customers) == (60, 200)
    assert ripe.plays["check_in"] == ripe.overall
    assert ripe.overall.revenue.saved == pytest.approx(0.2 * 400 * 100)
    assert sentence(ripe.overall, 90).startswith("It helps: of 100 customers at risk, 20.0 more stayed over 90 days")


def test_messages_answers_and_decisions_count_from_when_they_were_known(workspace, tried, trial, measure):
    tried(workspace, trial("check_in", DAY, 400, 200, 40, 60))
    same_day, next_day, *_, answered = measure(DAY, DAY + timedelta(4))[:5]
    assert (same_day.delivered, same_day.responses, same_day.decisions) == (0, [], [])
    assert (next_day.delivered, next_day.responses[0].sent) == (320, 320)
    assert next_day.responses[0].shares["reply"].count == 0
    told = values(answered, "check_in", "a")
    assert (told["reply_rate"]["value"], told["reply_rate"]["n"]) == (40 / 320, 320)
    assert told["reply_rate"]["low"] < 40 / 320 < told["reply_rate"]["high"]
    people = values(answered, "check_in")
    assert (people["approval_rate"]["value"], people["edit_rate"]["value"]) == (1, 0.25)
    assert people["edit_distance"]["value"] == 0.5


def test_alerts_tell_whom_they_name_of_those_held_back_and_how_soon(workspace, tried, trial, measure):
    tried(workspace, trial("account_alert", DAY, 100, 50, 20, 25, kind="alert"))
    (finding,) = measure(MATURE)
    alerts = finding.alerts
    assert (alerts.alerted.value, alerts.held_back.value) == (0.2, 0.5)
    assert (alerts.timed, alerts.hours_median, alerts.hours_p95) == (100, 2, 2)
    assert finding.responses == []


def test_unknown_revenue_is_said(workspace, tried, trial, measure):
    tried(workspace, trial("check_in", DAY, 400, 200, 40, 60, mrr=None))
    told = values(measure(MATURE)[0])
    assert (told["revenue_saved"]["value"], told["revenue_unknown"]["value"]) == (None, 400)


def test_customers_of_a_day_that_is_not_in_the_lake_have_no_outcome(workspace, tried, trial, measure):
    tried(workspace, trial("check_in", DAY, 40, 20, 4, 6))
    (workspace.home.lake / "customer_profiles" / f"scan_day={DAY}" / "part-0.parquet").unlink()
    (finding,) = measure(MATURE)
    assert (finding.overall.uncounted, finding.overall.lift.treated.customers) == (60, 0)


def test_a_home_without_a_store_has_nothing_to_tell_and_gets_no_store(workspace):
    with workspace.lake() as lake:
        (finding,) = Measuring(lake, workspace).write(DayRange(DAY, DAY))
    assert "nobody was assigned" in sentence(finding.overall, 90)
    assert not workspace.home.operations.exists()
    assert not (workspace.home.lake / "interventions").exists()
    assert {row["verdict"] for row in table(workspace, "business_outcomes")} == {None, "not enough data"}


def test_a_store_without_any_row_has_nothing_to_tell_either(workspace):
    Store.open(workspace.home).close()
    with workspace.lake() as lake:
        (finding,) = Measuring(lake, workspace).write(DayRange(DAY, DAY))
    assert finding.overall.verdict == "not enough data"
    assert table(workspace, "interventions") == []


def test_learning_is_told_what_was_done_what_chance_held_back_and_what_was_left_undone(workspace, tried, trial):
    tried(workspace, trial("check_in", DAY, 10, 5, 1, 1))
    with workspace.lake() as lake:
        Measuring(lake, workspace).write(DayRange(DAY, DAY))
    acts = {row["customer_id"]: row for row in table(workspace, "interventions")}
    act = {"day": DAY + timedelta(1), "propensity": 10 / 15}
    assert len(acts) == 15
    assert acts["check_in-treated-1"] == {"customer_id": "check_in-treated-1", **act, "delivered": True}
    assert acts["check_in-control-1"] == {"customer_id": "check_in-control-1", **act, "delivered": False}
    undone = acts["check_in-treated-0"]
    assert (undone["propensity"], undone["delivered"]) == (None, False)


def test_a_range_tells_of_each_day_what_the_day_by_itself_tells(workspace, tried, trial, measure):
    tried(workspace, trial("check_in", DAY, 400, 200, 40, 60), trial("re_engage", DAY + timedelta(2), 90, 40, 9, 9))
    days = [MATURE + timedelta(n) for n in range(4)]
    assert measure(*days) == [found for day in days for found in measure(day)]


def test_a_play_that_harms_is_switched_off_by_rule_once_and_never_against_a_person(workspace, tried, trial):
    tried(workspace, trial("check_in", DAY, 400, 200, 120, 20), trial("re_engage", DAY, 400, 200, 40, 60))
    with workspace.lake() as lake:
        measuring = Measuring(lake, workspace)
        (finding,) = measuring.findings(DayRange(MATURE, MATURE))
        assert finding.harmful.keys() == {"check_in"}
        assert measuring.switch_off(finding) == ["check_in"]
        assert measuring.switch_off(finding) == []
        with Store.open(workspace.home) as store:
            with store.reading() as session:
                assert switches.off(session) == {"check_in"}
            with store.transaction("ann", NOW) as tx:
                switches.turn(tx, "check_in", "on", "the text was mended")
        assert measuring.switch_off(finding) == []
    with Store.open(workspace.home) as store, store.reading() as session:
        assert switches.off(session) == set()


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ((400, 200, 120, 20), "It harms: of 100 customers at risk, 20.0 fewer stayed"),
        ((4000, 2000, 800, 400), "No effect is shown: of 100 customers at risk, 0.0 more stayed"),
        ((100, 50, 20, 10), "There is not enough data yet: so far, of 100 customers at risk, 0.0 more stayed"),
        ((100, 0, 20, 0), "nobody is held back, so there is nothing to compare with"),
        ((10, 5, 1, 1), "the outcomes of 10 customers whom we were to act for and of 5 held back are known"),
    ],
)
def test_the_verdict_is_told_in_words(workspace, tried, trial, measure, of, words):
    tried(workspace, trial("check_in", DAY, *of))
    assert words in sentence(measure(MATURE)[0].overall, 90)
