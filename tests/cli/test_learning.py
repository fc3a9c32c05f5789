"""`learn` and `weights`: what they tell of a company that is too young to learn from, and of versions by hand."""

import json
import math
from pathlib import Path

import pytest

from orchestration_project.domain.champions import Decision
from orchestration_project.domain.scorecard import Curve, Scorecard
from orchestration_project.refits import Learner
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

CARD = Scorecard(
    trained_on=("2026-01-31",), horizon_days=90, base_rate=0.1, intercept=math.log(1 / 9),
    curves=(
        Curve(signal="days_since_use", family="usage_decline", direction=1, edges=(7.0,), points=(-1, 2), missing=0),
    ),
    weights={"usage_decline": 1.0},
)  # fmt: skip


@pytest.fixture
def learned(demo, copy):
    """The demo's home after a month whose candidate waits for a person."""
    workspace = Workspace(Home(copy.home))
    version = workspace.record_scorecard(CARD)
    month = demo.yesterday.replace(day=1)
    waiting = Decision(month=month, candidate=version, status="waiting", incumbent="prior-1")
    row = {"decision": waiting.model_dump_json(), "candidate": version, "status": "waiting", "champion": "prior-1"}
    counts = dict.fromkeys(("training_rows", "training_churners", "validation_rows", "validation_churners"), 0)
    with workspace.lake() as lake:
        learner = Learner(lake, workspace)
        tables = {"weight_decisions": [row | counts], "weight_metrics": [], "risk_weights": []}
        for table, rows in tables.items():
            learner._replace(table, month, learner._table(table, rows))
    return copy


def test_too_little_to_learn_from_is_said_and_the_prior_stays(copy):
    told = copy("learn", "--json").json
    (decision,) = told["decisions"]
    assert (decision["status"], decision["candidate"], decision["champion"]) == ("none", None, "prior-1")
    assert "no outcome has matured yet" in decision["checks"][0]["told"]
    assert any("enough_outcomes" in warning for warning in told["warnings"])
    printed = copy("weights", "list")
    assert (printed.code, "In force: prior-1" in printed.out) == (0, True)
    assert copy("top", "--json", "--limit", 1).json["customers"]


def test_what_waits_is_shown_approved_used_and_rolled_back(learned):
    listed = learned("weights", "list", "--json").json
    assert listed["in_force"] == "prior-1"
    assert listed["decisions"][0]["candidate"] == CARD.version
    shown = learned("weights", "show", CARD.version, "--json").json
    assert shown["weights"] == {"usage_decline": 1.0}
    assert "days_since_use" in learned("weights", "show", CARD.version).out

    assert learned("weights", "approve", CARD.version, "--reason", "looks right").code == 0
    assert learned("weights", "list", "--json").json["in_force"] == CARD.version
    assert learned("scan", "--json").code == 0
    worst = learned("top", "--json", "--limit", 1).json["customers"][0]
    assert worst["weights_version"] == CARD.version
    told = learned("explain", worst["customer_id"], "--json").json
    assert set(told["points"]) == {"days_since_use"}
    assert math.isclose(1 + sum(told["contributions"].values()), told["score"], abs_tol=1e-9)

    assert learned("weights", "rollback", "--reason", "customers complained").code == 0
    acts = learned("weights", "list", "--json").json
    assert acts["in_force"] == "prior-1"
    assert [(each["action"], each["reason"]) for each in acts["acts"]] == [
        ("approve", "looks right"), ("rollback", "customers complained"),
    ]  # fmt: skip


def test_scoring_goes_on_with_the_prior_where_a_scorecard_was_changed_by_hand(learned):
    learned("weights", "approve", CARD.version, "--reason", "looks right")
    file = learned.home / "versions" / f"{CARD.version}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"intercept": 3.0}))
    (warning,) = [each for each in learned("scan", "--json").json["warnings"] if "check weights" in each]
    assert "changed by hand or damaged" in warning
    assert {row["weights_version"] for row in learned("top", "--json").json["customers"]} == {"prior-1"}
    sentence = learned("weights", "show", CARD.version).sentence
    assert str(file) in sentence
    assert "changed by hand or damaged" in sentence


def test_a_page_about_the_refit_is_written_and_harmless_whatever_people_wrote(learned):
    learned("weights", "approve", CARD.version, "--reason", "<script>alert('why')</script>")
    before = {file: file.read_bytes() for file in (learned.home / "lake").rglob("*.parquet")}
    told = learned("weights", "report", "--json").json
    page = Path(told["file"]).read_text()
    assert Path(told["file"]) == learned.home / "reports" / f"weights-{told['month']}.html"
    assert "waits for a person" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert {file: file.read_bytes() for file in (learned.home / "lake").rglob("*.parquet")} == before

    elsewhere = learned.home / "deep" / "page.html"
    assert str(elsewhere) in learned("weights", "report", "--output", str(elsewhere)).out
    assert elsewhere.read_text().startswith("<!doctype html>")
    assert "was not refitted" in learned("weights", "report", "--month", "2019-01").sentence


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("weights", "approve", "learned-x", "--reason", "why not"), "There are no weights 'learned-x'"),
        (("weights", "show", "prior-9"), "There are no weights 'prior-9'"),
        (("weights", "rollback", "--reason", "why not"), "there is nothing to return to"),
        (("weights", "report"), "No month was refitted"),
        (("learn", "--to", "soon"), "--to 'soon' is no month; write it as 2026-10"),
        (("learn", "--to", "2019-01"), "--to 2019-01 can't be learned from; the months are"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(copy, command, told):
    assert told in copy(*command).sentence
