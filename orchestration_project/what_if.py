"""What if: past days scored again under other weights or settings, of which nothing is kept."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from orchestration_project.domain import validation
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import RiskRules
from orchestration_project.domain.validation import Figure, Scored
from orchestration_project.domain.what_if import alerts, moved_bands
from orchestration_project.lake import Lake
from orchestration_project.partitions import day_keys
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan
from orchestration_project.weights import InForce

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("customer_id", "scan_day", "score", "probability", "band")
FIGURES = ("auc", "log_loss", "slope", "intercept")
WEEK_DAYS = 7


@dataclass(frozen=True)
class Week:
    """Alerts of a way of scoring: customers in band high per day, and how many enter it per week; None of one day."""

    high_per_day: float
    new_per_week: float | None


@dataclass(frozen=True)
class Comparison:
    """What was stored against what would have been, over a range of scan days."""

    customer_days: int
    bands: dict[tuple[str, str], int]
    alerts: dict[str, Week]
    outcomes: int
    churned: int
    unknown: int
    figures: dict[str, dict[str, Figure]]


class Trial(Scan):
    """A scan under a workspace's settings that takes from the lake what they can't have changed, and writes nothing."""

    def __init__(self, lake: Lake, workspace: Workspace, version: str | None, before: RiskRules) -> None:
        super().__init__(lake, workspace)
        self._version = version
        self._anew = self._rules != before.model_copy(update={"scoring": self._rules.scoring})
        self._computed: dict[tuple[str, DayRange], ir.Table] = {}

    def read(self, table: str, days: DayRange) -> ir.Table:
        """Rows as they are stored or, where settings change them, computed."""
        if not self._anew:
            return super().read(table, days)
        if (table, days) not in self._computed:
            self._computed[table, days] = self._lake.engine.keep(self.compute(table, days))
        return self._computed[table, days]

    def weights(self, days: DayRange) -> list[InForce]:
        """The one version that is tried, or else those that were in force."""
        if self._version is None:
            return super().weights(days)
        return [InForce(days, self._workspace.scorecard(self._version), None)]


class WhatIf:
    """Stored scores of some days, and what they would have been under another version or settings."""

    def __init__(
        self, lake: Lake, workspace: Workspace, days: DayRange, version: str | None, before: RiskRules
    ) -> None:
        self._lake, self._days = lake, days
        self._before = lake.read("risk_scores", day_keys(days), "scan_day")
        parts = Scan(lake, workspace).parts(days)
        scored = [Trial(lake, workspace, version, before).scores(part).select(*COLUMNS) for part in parts]
        self._after = ibis.union(*(lake.engine.keep(each) for each in scored), distinct=False)

    def compare(self) -> Comparison:
        """Bands, alerts, and how well both tell who left."""
        engine = self._lake.engine
        ways = {"before": self._before, "after": self._after}
        bands = engine.rows(moved_bands(self._before, self._after))
        return Comparison(
            customer_days=sum(row["customer_days"] for row in bands),
            bands={(row["before"], row["after"]): row["customer_days"] for row in bands},
            alerts={name: _week(engine.rows(alerts(each))) for name, each in ways.items()},
            outcomes=len(self._judged), churned=int(self._judged["churned"].sum()),
            unknown=int(engine.value(self._before.count())) - len(self._judged),
            figures={name: self._figures(name) for name in ways},
        )  # fmt: skip

    @cached_property
    def _judged(self) -> "pd.DataFrame":
        """Customer-days whose outcome is known and counts, with both scores where both told one."""
        days = day_keys(self._days)
        if not self._lake.has("churn_outcomes"):
            return self._lake.engine.frame(self._told(self._before.mutate(churned=ibis.literal(False)).limit(0)))
        outcomes = self._lake.read("churn_outcomes")
        outcomes = outcomes.filter(
            outcomes.scan_day.isin([ibis.date(day) for day in days]), outcomes.censored.isnull(), ~outcomes.treated
        )
        counted = outcomes.select("customer_id", "scan_day", "churned")
        return self._lake.engine.frame(self._told(self._before.inner_join(counted, ["customer_id", "scan_day"])))

    def _told(self, before: ir.Table) -> ir.Table:
        one = before.select("customer_id", "scan_day", "churned", before="score", before_probability="probability")
        other = self._after.select("customer_id", "scan_day", after="score", after_probability="probability")
        both = one.inner_join(other, ["customer_id", "scan_day"])
        return both.filter(both.before.notnull(), both.after.notnull()).order_by(["scan_day", "customer_id"])

    def _figures(self, name: str) -> dict[str, Figure]:
        import numpy as np

        rows = self._judged
        churned = rows["churned"].to_numpy(dtype=float)
        if churned.sum() in (0, len(churned)):
            return {}
        probability = rows[f"{name}_probability"].to_numpy(dtype=float)
        calibrated = not np.isnan(probability).any()
        says = np.log(probability / (1 - probability)) if calibrated else rows[name].to_numpy(dtype=float)
        customer = np.unique(rows["customer_id"].to_numpy(dtype=str), return_inverse=True)[1]
        found = validation.metrics(Scored(says, churned, customer, np.ones(len(rows)), calibrated))
        return {metric: found[metric] for metric in FIGURES if metric in found}


def _week(days: list[dict[str, int]]) -> Week:
    new = [row["new"] for row in days if row["new"] is not None]
    return Week(
        high_per_day=sum(row["high"] for row in days) / max(1, len(days)),
        new_per_week=sum(new) / len(new) * WEEK_DAYS if new else None,
    )
