"""`impact`: the verdict in words, its figures, and a page that needs nothing else."""

import re
import shutil
from datetime import timedelta

import pytest

from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

ADDRESS = re.compile(r"(?:src|href)=\"(?!data:)|https?://")


@pytest.fixture
def acted(demo, copy, tried, trial):
    """The demo's home after plays whose horizon is over."""
    day = demo.yesterday - timedelta(95)
    tried(
        Workspace(Home(copy.home)),
        trial("check_in", day, 400, 200, 40, 60),
        trial("account_alert", day, 100, 50, 20, 25, kind="alert"),
    )
    return copy


def test_the_verdict_is_the_first_thing_that_is_told(acted):
    printed = acted("impact")
    assert printed.code == 0
    assert printed.out.startswith("It helps: of 100 customers at risk, ")
    assert "retention_lift" in printed.out


def test_json_has_the_verdict_the_figures_and_the_funnel(demo, acted):
    told = acted("impact", "--json").json
    assert (told["scan_day"], told["verdict"]) == (str(demo.yesterday), "helps")
    lift = next(row for row in told["figures"] if (row["metric"], row["play"]) == ("retention_lift", "check_in"))
    assert (lift["value"], lift["n"], lift["verdict"]) == (pytest.approx(0.2), 600, "helps")
    assert sum(told["funnel"].values()) > 0


def test_the_page_begins_with_the_verdict_needs_nothing_else_and_labels_what_is_correlation(acted, tmp_path):
    file = tmp_path / "here" / "impact.html"
    assert acted("impact", "--output", file).code == 0
    page = file.read_text(encoding="utf-8")
    assert re.search(r'<p class="verdict"><strong>It helps: ', page)
    assert not ADDRESS.search(page)
    assert page.count("Correlation only") == 2
    assert "The second line says how right alerts are." in page
    for told in ("check in", "account alert", "at low risk", "What limits this", "(95 % interval"):
        assert told in page


def test_a_home_where_nothing_was_done_says_so_and_gets_no_store(copy):
    for file in copy.home.glob("operations.db*"):
        file.unlink()
    shutil.rmtree(copy.home / "lake" / "business_outcomes")
    told = copy("impact", "--json").json
    assert (told["verdict"], "nobody was assigned" in told["in_words"]) == ("not enough data", True)
    assert not (copy.home / "operations.db").exists()
    page = (copy.home / "reports" / f"impact-{told['scan_day']}.html").read_text(encoding="utf-8")
    for nothing in ("No alert yet.", "No message was sent yet."):
        assert nothing in page


def test_a_past_day_tells_what_was_known_then(demo, acted):
    day = demo.yesterday - timedelta(6)
    told = acted("impact", "--date", day, "--json").json
    assert (told["scan_day"], told["verdict"]) == (str(day), "not enough data")
    assert "750" in told["in_words"]


def test_mistakes_are_told_in_one_sentence(demo, copy, shell):
    shell.sources(tables={"customers": {"connector": "files", "path": "customers.csv"}})
    assert "no scan yet" in shell("impact").sentence
    tomorrow = demo.yesterday + timedelta(2)
    assert f"--date {tomorrow} is not over yet" in copy("impact", "--date", tomorrow).sentence
    (copy.home / "operations.db").write_text("no database")
    assert "operations database" in copy("impact").sentence
