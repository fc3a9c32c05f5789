"""Monitoring: what the Dagster UI says of whether acting helped, and that only a live scan switches a play off."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from orchestration_project.operations import switches
from orchestration_project.operations.models import Assignment
from orchestration_project.operations.store import Store

SCANNED = date(2026, 6, 30)
ASSIGNED = SCANNED - timedelta(91)


@pytest.fixture
def told(copy):
    """Materializes the asset for a day; what it told of it, and its checks by name."""

    def of(day=SCANNED, last=None):
        result = copy.scan(day, last, only="business_outcomes")
        assert result.success
        checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
        return copy.written(result)["business_outcomes"][day.isoformat()], checks

    return of


def test_a_home_where_nothing_was_done_says_so(company, runs):
    told = company.written(runs.scan)["business_outcomes"][company.days.last.isoformat()]
    assert told["verdict"] == "not enough data"
    assert "nobody was assigned" in told["in words"]
    assert "retention" not in told
    assert not company.home.operations.exists()


def test_the_ui_shows_the_verdict_its_figures_and_a_picture(copy, told, tried, trial):
    tried(copy.workspace, trial("check_in", ASSIGNED, 400, 200, 40, 60))
    shown, checks = told()
    assert shown["verdict"] == "helps"
    assert shown["in words"].startswith("It helps: ")
    assert "data:image/png;base64," in shown["retention"]
    lift = next(row for row in shown["figures"].records if row.data["metric"] == "retention_lift")
    assert lift.data["value"] == pytest.approx(0.2)
    assert checks == {"assigned_as_declared": True, "harmless": True}


def test_a_play_that_harms_fails_a_check_and_is_switched_off_by_the_newest_scan_alone(copy, told, tried, trial):
    tried(copy.workspace, trial("check_in", ASSIGNED, 400, 200, 120, 20))

    def off():
        with Store.open(copy.home) as store, store.reading() as session:
            return switches.off(session)

    shown, checks = told(SCANNED - timedelta(1), SCANNED)
    assert (checks["harmless"], shown["plays switched off"], off()) == (False, "none", set())
    shown, _ = told(SCANNED - timedelta(1))
    assert (shown["plays switched off"], off()) == ("none", set())
    shown, _ = told(SCANNED)
    assert (shown["plays switched off"], off()) == ("check_in", {"check_in"})


def test_groups_of_other_sizes_than_declared_fail_a_check(copy, told, tried, trial):
    tried(copy.workspace, trial("check_in", ASSIGNED, 400, 200, 40, 60))
    with Store.open(copy.home) as store, store.transaction("test", copy.now) as tx:
        tx.session.execute(sa.update(Assignment).values(propensity=0.9))
    shown, checks = told()
    assert (shown["verdict"], checks["assigned_as_declared"]) == ("assignment broken", False)
