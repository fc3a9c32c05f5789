"""Planning: the action plan of scan days, from what the lake says of them and what was done before."""

from collections.abc import Mapping
from datetime import date

import ibis.expr.types as ir

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.manifest import Acts, Manifest
from orchestration_project.domain.bandit import Variant, propensities
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.episodes import REACH_DAYS, episodes
from orchestration_project.domain.plan import Bounds, PlanRules, PlayRule, action_plan
from orchestration_project.domain.rules import LearningRules
from orchestration_project.lake import Lake
from orchestration_project.operations.store import Store
from orchestration_project.partitions import day_keys
from orchestration_project.quarantine import CheckedStep
from orchestration_project.records import records, variants
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan

PLAN = "action_plan"


class Planning:
    """Plans what is to be done, for one day or for a range of past ones; nothing is done by it.

    Where there is no store, nothing was ever done.
    """

    def __init__(self, lake: Lake, workspace: Workspace, store: Store | None) -> None:
        self._lake, self._workspace, self._store = lake, workspace, store
        self.left_out: dict[date, int] = {}
        """Customers of each day who were left out, because a row of theirs breaks a contract."""

    def write(self, days: DayRange) -> None:
        """Computes and replaces the plans of scan days, in parts that fit the engine."""
        rules = plan_rules(self._workspace.workflow, self._workspace.settings.learning, variants(self._store))
        for part in Scan(self._lake, self._workspace).parts(days):
            with self._lake.engine.scope():
                step = CheckedStep(part, self._lake, self._workspace)
                step.write(PLAN, self._plan(part, step, rules))
                self.left_out |= step.left_out

    def _plan(self, days: DayRange, step: CheckedStep, rules: PlanRules) -> ir.Table:
        scores, profiles = step.read("risk_scores"), step.read("customer_profiles")
        bands, hysteresis = self._workspace.workflow.bands, self._workspace.workflow.state.hysteresis
        # Who is surely in the low band has no stay that anything depends on; they are most, and need no history.
        uncertain = scores.filter(scores.score >= bands[0] - hysteresis).select("customer_id").distinct()
        history = self._history(days).semi_join(uncertain, "customer_id")
        stays = episodes(history, *bands, hysteresis)
        plan = action_plan(scores, profiles, stays, records(self._store, self._lake, profiles), rules)
        return plan.cast({column.name: column.type for column in LAKE_TABLES[PLAN]})

    def _history(self, days: DayRange) -> ir.Table:
        """Scores from as far back as a day may depend on, of the days that were scanned, of those at any risk."""
        reach = days.reaching_back(REACH_DAYS)
        wanted = set(day_keys(reach))
        scanned = [key for key in self._lake.partitions("risk_scores") if key in wanted]
        return self._lake.read("risk_scores", scanned, "scan_day").select("customer_id", "scan_day", "score")


def plan_rules(workflow: Manifest, learning: LearningRules, tried: Mapping[tuple[str, str], Variant]) -> PlanRules:
    """What decides a plan, as a manifest and the settings say, and how well each variant of a play did so far."""
    outreach = workflow.roles[workflow.step("outreach")]
    alert = workflow.roles[workflow.step("account_alert")]
    assert outreach.acts is not None and alert.acts is not None, "validated in the manifest"
    plays = [
        PlayRule(
            name,
            play.factor,
            propensities([tried.get((name, each), Variant(each, 0, 0)) for each in play.templates]),
            play.segments,
        )
        for name, play in outreach.plays.items()
    ]
    return PlanRules(plays, _bounds(outreach.acts), _bounds(alert.acts), learning.control_share, learning.control_salt)


def _bounds(acts: Acts) -> Bounds:
    cap = acts.cap
    return Bounds(acts.autonomy, cap.actions if cap else None, cap.days if cap else 1, acts.capacity_per_owner)
