"""`suppress` and `override`: a person stops mail to somebody, or sets a score for a time, and scans take it."""

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from orchestration_project.cli.show import explanation
from orchestration_project.domain.days import DayRange
from orchestration_project.operations import overrides
from orchestration_project.operations.models import Override, Suppression
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan
from orchestration_project.settings import Home

TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def _ann(monkeypatch):
    monkeypatch.setenv("ORCHESTRATE_USER", "ann")


@pytest.fixture(scope="module")
def once(tmp_path_factory, at_home):
    """A home with one customer, scanned once. Tests leave it as it is."""
    shell = at_home(tmp_path_factory.mktemp("once") / "home").shell
    shell.sources(tables={"customers": {"connector": "files", "path": "customers.csv"}})
    (shell.home / "customers.csv").write_text("customer_id,signed_up_at,plan\nC1,2024-01-01,pro\n", encoding="utf-8")
    assert shell("scan").code == 0
    return shell


@pytest.fixture
def scanned(once, tmp_path, at_home):
    shutil.copytree(once.home, tmp_path / "scanned")
    return at_home(tmp_path / "scanned")


def day(moment) -> datetime:
    return datetime.combine(moment, datetime.min.time(), UTC)


def test_a_customer_or_an_address_is_suppressed_for_good_or_until_the_end_of_a_day(scanned):
    scanned.shell("suppress", "C1", "--reason", "asked by phone")
    told = scanned.shell(
        "suppress", "Ann@Example.com", "--reason", "left", "--until", TODAY + timedelta(9), "--json"
    ).json
    assert (told["address"], told["customer_id"], told["source"]) == ("ann@example.com", None, "person")
    first, second = sorted(scanned.rows(Suppression), key=lambda row: row.created_at)
    assert (first.customer_id, first.address, first.ends_at, first.by) == ("C1", None, None, "ann")
    assert second.ends_at == day(TODAY + timedelta(10))


def test_a_suppression_is_lifted_with_a_reason_and_others_stay(scanned):
    for whom in ("C1", "ann@example.com", "bo@example.com"):
        scanned.shell("suppress", whom, "--reason", "left")
    assert scanned.shell("suppress", "Ann@Example.com", "--lift", "--reason", "is back").code == 0
    ended = {row.address or row.customer_id: row.ends_at is not None for row in scanned.rows(Suppression)}
    assert ended == {"C1": False, "ann@example.com": True, "bo@example.com": False}
    again = scanned.shell("suppress", "ann@example.com", "--lift", "--reason", "is back")
    assert again.sentence.startswith("No suppression of exactly 'ann@example.com' holds")


SET = ("override", "C1", "--score", 9, "--reason", "x", "--until")
WRONG = {
    "nobody": (("suppress", "C99", "--reason", "x"), "'C99' is neither a customer in the lake nor one e-mail address"),
    "two addresses": (("suppress", "a@example.com,b@example.com", "--reason", "x"), "'a@example.com,b@example.com' is"),
    "nobody to lift": (
        ("suppress", "C1", "--lift", "--reason", "x"),
        "No suppression of exactly 'C1' holds that could",
    ),
    "no reason": (("suppress", "C1", "--reason", " "), "--reason is empty; say why."),
    "a day that is over": ((*SET, "2025-03-01"), "--until 2025-03-01 is over (UTC); name a later day."),
    "no date": ((*SET, "soon"), "--until 'soon' is no date; write it as 2026-11-22."),
    "an unknown customer": (("override", "C99", *SET[2:], TODAY), "There is no customer 'C99' in the lake;"),
    "nothing to withdraw": (("override", "C1", "--withdraw", "--reason", "x"), "Customer 'C1' has no override that "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_one_sentence_and_changes_nothing(scanned, case):
    arguments, sentence = WRONG[case]
    assert scanned.shell(*arguments).sentence.startswith(sentence)
    assert scanned.rows(Override) == scanned.rows(Suppression) == []


@pytest.mark.parametrize(
    "arguments",
    [("--score", 11, "--until", TODAY), ("--score", 9), ("--until", TODAY), (),
     ("--score", 9, "--until", TODAY, "--withdraw")],
)  # fmt: skip
def test_wrong_usage_of_an_override_is_exit_code_2(small, arguments):
    assert small("override", "C1", "--reason", "x", *arguments).code == 2


def test_a_scan_without_overrides_makes_no_store(once):
    assert not (once.home / "operations.db").exists()


def test_a_score_is_set_from_todays_scan_to_that_of_a_day_and_can_be_withdrawn(scanned):
    until = TODAY + timedelta(3)
    told = scanned.shell("override", "C1", "--score", 9, "--reason", "their champion left", "--until", until)
    assert f"C1 scores 9 from the scan of {TODAY}" in told.err
    (row,) = scanned.rows(Override)
    assert (row.author, row.score, row.ends_at) == ("ann", 9, day(until + timedelta(1)))
    workspace = Workspace(Home(scanned.shell.home))
    with Store.open(workspace.home) as store, store.reading() as session:
        days = [TODAY + timedelta(n) for n in range(-1, 6)]
        assert [each for each, _ in overrides.on_days(session, days)] == [TODAY + timedelta(n) for n in range(4)]
    assert scanned.shell("override", "C1", "--withdraw", "--reason", "a mistake").code == 0
    with Store.open(workspace.home) as store, store.reading() as session:
        assert overrides.on_days(session, days) == []


def override(shell, customer: str, score: float, first, last) -> None:
    """What the command would have done on the day `first`."""
    with Store.open(Home(shell.home)) as store, store.transaction("ann", day(first) + timedelta(hours=10)) as tx:
        overrides.add(tx, customer, score, "their champion left", day(last) + timedelta(1))


@dataclass(frozen=True)
class Held:
    """Three days of the demo, scanned again with a high and a low score that people set for the second."""

    shell: Any
    days: list[date]
    before: list[dict[str, Any]]
    calm: str
    worst: str

    def told(self, customer: str) -> list[dict[str, Any]]:
        return [self.shell("explain", customer, "--date", each, "--json").json for each in self.days]


@pytest.fixture(scope="module")
def held(demo, tmp_path_factory, at_home):
    home = tmp_path_factory.mktemp("held") / "home"
    shutil.copytree(demo.shell.home, home)
    shell, days = at_home(home).shell, [demo.yesterday - timedelta(n) for n in (2, 1, 0)]
    rows = shell("top", "--json", "--limit", 1000, "--date", days[1]).json["customers"]
    override(shell, rows[-1]["customer_id"], 9, days[1], days[1])
    override(shell, rows[0]["customer_id"], 1.5, days[1], days[1])
    assert shell("backfill", "--from", days[0], "--to", days[2]).code == 0
    return Held(shell, days, rows, rows[-1]["customer_id"], rows[0]["customer_id"])


def test_a_scan_takes_what_a_person_has_set_and_says_so_and_no_longer_once_it_has_ended(held):
    before, told, after = held.told(held.calm)
    assert (told["score"], told["band"], told["confidence"], told["next_action"]) == (9, "high", 1, "alert")
    assert "override" in told["factors"]
    assert told["contributions"]["override"] == pytest.approx(9 - held.before[-1]["score"])
    assert sum(told["contributions"].values()) == pytest.approx(8)
    for other in (before, after):
        assert other["score"] < 9
        assert "override" not in other["factors"]
        assert other["contributions"]["override"] == 0
    again = held.shell("top", "--json", "--limit", 1000, "--date", held.days[1]).json["customers"]
    others = {row["customer_id"]: row["score"] for row in held.before[1:-1]}
    assert others.items() <= {row["customer_id"]: row["score"] for row in again}.items()


def test_a_change_to_or_from_a_score_that_was_set_is_one_of_configuration_and_adds_up(held):
    for then, now in pairwise(held.days):
        told = held.shell("explain", held.worst, "--date", now, "--against", then, "--json").json
        change = told["change"]
        assert change["now"] == pytest.approx(told["score"])
        parts = change["data"] + change["missing_data"] + change["configuration"]
        assert parts == pytest.approx(change["now"] - change["then"])
        assert abs(change["configuration"]) > 0.5


def test_an_override_that_was_set_after_a_day_never_changes_that_day(demo, copy):
    last = demo.yesterday
    name = copy("top", "--json", "--limit", 1).json["customers"][0]["customer_id"]
    override(copy, name, 1.5, last + timedelta(1), last + timedelta(5))
    workspace = Workspace(Home(copy.home))
    with workspace.lake() as lake:
        stored = explanation(lake, workspace, name, last)["score"]
        rows = Scan(lake, workspace).scores(DayRange(last, last))
        (again,) = lake.engine.rows(rows.filter(rows.customer_id == name))
    assert again["score"] == stored != 1.5
