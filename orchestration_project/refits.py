"""Refits: the computation behind the learning assets, month by month; without Dagster, so it can be reused."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.domain import learning, validation
from orchestration_project.domain.champions import Check, Decision, line_of_succession
from orchestration_project.domain.days import EPOCH, number
from orchestration_project.domain.gate import enough, gate
from orchestration_project.domain.learning import LearningError, Rows
from orchestration_project.domain.outcomes import (
    horizon_days,
    leavers,
    outcome_day,
    outcomes,
    silent,
    usage_seen_until,
)
from orchestration_project.domain.rules import FAMILIES, FAMILY_SOURCES
from orchestration_project.domain.scorecard import Curve, Scorecard
from orchestration_project.domain.scoring import score
from orchestration_project.domain.segments import with_departures
from orchestration_project.domain.signals import CATALOGUE, found, signal_value
from orchestration_project.domain.validation import Figure, Scored
from orchestration_project.lake import Lake
from orchestration_project.partitions import month_key, months_between
from orchestration_project.resources import Workspace
from orchestration_project.sources.config import load_sources
from orchestration_project.weights import decisions, usable

if TYPE_CHECKING:
    import numpy as np

KINDS_AT_MOST, LEVELS_AT_MOST, LEVEL_SHARE = 12, 8, 0.02
"""Kinds of use, and plans or segments, that become signals; a level needs that share of the latest scan day."""


@dataclass(frozen=True)
class Refit:
    """What came of one month: the decision, the candidate, and how every model did on the validation days."""

    decision: Decision
    candidate: Scorecard | None
    metrics: dict[str, dict[str, Figure]]
    validation_days: list[date]
    training_rows: int
    training_churners: int
    validation_rows: int
    validation_churners: int
    drift: dict[str, tuple[float, float]]
    scores: "dict[str, Scored]"


class Learner:
    """The learning tables of a home: how the rows of each are computed."""

    def __init__(self, lake: Lake, workspace: Workspace) -> None:
        self._lake, self._workspace = lake, workspace
        self._sources = load_sources(workspace.home)
        self._rules = workspace.settings.learning

    @cached_property
    def horizon(self) -> int:
        """Days after a scan day in which leaving counts."""
        return horizon_days(self._sources.churn, self._workspace.risk.severities.horizon_days)

    def scan_day(self, month: date) -> date:
        """The scan day whose outcomes mature with a month."""
        return outcome_day(month_end(month), self.horizon)

    def write_outcomes(self, month: date) -> bool:
        """Replaces a month of `churn_outcomes`; False, and a month without rows, where its day was never scanned."""
        with self._lake.engine.scope():
            told = self.outcomes(month)
            self._replace("churn_outcomes", month, self._table("churn_outcomes", []) if told is None else told)
        return told is not None

    def write_refit(self, month: date) -> Refit:
        """Refits a month, knowing the decisions of all months before it, and replaces what is kept of it."""
        with self._lake.engine.scope():
            refit = self.refit(month, [each for each in decisions(self._lake) if each.month < month])
            if refit.candidate:
                self._workspace.record_scorecard(refit.candidate)
            for table, rows in _kept(refit).items():
                self._replace(table, month, self._table(table, rows))
        return refit

    def outcomes(self, month: date) -> ir.Table | None:
        """Rows of `churn_outcomes`; None where the scan day was never scanned."""
        day, until = self.scan_day(month), month_end(month)
        key = day.isoformat()
        if not {key} <= set(self._lake.partitions("risk_factors")) & set(self._lake.partitions("customer_profiles")):
            return None
        profiles = self._lake.read("customer_profiles", [key], "scan_day")
        windows = profiles.select("customer_id", "scan_day", until=ibis.date(until))
        if self._sources.churn.kind == "contract":
            churned, seen = leavers(windows, self._lake.read("customers")), True
        else:
            months = [month_key(each) for each in months_between(day, until)]
            loaded = [each for each in months if each in self._lake.partitions("usage_daily")]
            if loaded != months:
                return None
            churned = silent(windows, self._lake.read("usage_daily", months, "month"))
            covered = self._lake.read("usage_coverage", months, "month")
            seen = bool(self._lake.engine.value(usage_seen_until(covered, until)))
        left = churned.select("customer_id")
        return outcomes(profiles, left, self._interventions(), until, self._rules.min_tenure_days, seen)

    def rows(self, month: date, also: Sequence[str] = ()) -> Rows | None:
        """Everything to learn from by the end of a month; None where no outcome has matured.

        `also` names signals that are wanted whether or not they are found in the latest scan day.
        """
        names = self._names(month)
        table = self._labelled(month)
        if names is None or table is None:
            return None
        return self._matrix(table, list(dict.fromkeys([*names, *also])))

    def refit(self, month: date, decisions: list[Decision]) -> Refit:
        """Fits, validates and decides, knowing the decisions of earlier months; writes nothing."""
        prior = self._workspace.risk.scoring.weights.version
        line = line_of_succession(prior, decisions, self._workspace.acts(), month_end(month))
        incumbent, problem = usable(line, self._workspace)
        rows = self.rows(month, incumbent.columns if incumbent else ())
        try:
            if rows is None:
                raise LearningError("no outcome has matured yet; scan and materialize churn_outcomes of earlier months")
            return self._decided(month, rows, line[-1], incumbent, problem)
        except LearningError as error:
            check = Check(name="enough_outcomes", passed=False, told=str(error))
            decision = Decision(month=month, status="none", incumbent=line[-1], checks=(check,))
            return Refit(decision, None, {}, [], len(rows or ()), rows.churners if rows else 0, 0, 0, {}, {})

    def _decided(
        self, month: date, rows: Rows, incumbent: str, champion: Scorecard | None, problem: str | None
    ) -> Refit:
        training, held_out = learning.split(rows, self._rules, self.horizon)
        first = enough(training.churners, held_out.churners, self._rules)
        days = [EPOCH + timedelta(day) for day in held_out.days]
        counts = (len(training), training.churners, len(held_out), held_out.churners)
        if not first.passed:
            decision = Decision(month=month, status="none", incumbent=incumbent, checks=(first,))
            return Refit(decision, None, {}, days, *counts, {}, {})
        candidate = learning.fit(training, self._rules, self.horizon)
        if self._rules.by_segment:
            candidate = with_departures(candidate, training, self._rules)
        scores = self._scores(held_out, training, candidate, champion)
        metrics = {name: validation.metrics(each) for name, each in scores.items()}
        against = scores["champion"]
        checks = gate(
            scores["candidate"], against, metrics["candidate"]["slope"],
            candidate.log_odds(training.matrix, training.names), self._rules,
        )  # fmt: skip
        passed = all(each.passed for each in checks)
        promoted = "champion" if self._rules.approval == "auto" else "waiting"
        notes = () if problem is None else (Check(name="champion_usable", passed=False, told=problem),)
        decision = Decision(
            month=month, candidate=candidate.version, status=promoted if passed else "shadow", incumbent=incumbent,
            checks=(first, *checks, *notes),
        )  # fmt: skip
        return Refit(decision, candidate, metrics, days, *counts, _drift(training, held_out, candidate), scores)

    def _scores(
        self, held_out: Rows, training: Rows, candidate: Scorecard, champion: Scorecard | None
    ) -> dict[str, Scored]:
        """What every model says of the validation rows."""
        import numpy as np

        told = held_out.prior[~np.isnan(held_out.prior)]
        prior = np.where(np.isnan(held_out.prior), told.mean() if len(told) else 1.0, held_out.prior)
        says = {
            "candidate": candidate.log_odds(held_out.matrix, held_out.names),
            "yardstick": learning.yardstick(training, self._rules)(held_out.matrix),
        }
        scored = {name: _scored(held_out, each) for name, each in says.items()}
        scored["prior"] = scored["champion"] = _scored(held_out, prior, calibrated=False)
        if champion is not None:
            scored["champion"] = _scored(held_out, champion.log_odds(held_out.matrix, held_out.names))
        return scored

    def _labelled(self, month: date) -> ir.Table | None:
        """Outcomes that count, or enough of them, with the factors of their scan day."""
        months = self._months(month)
        if not months:
            return None
        told = self._lake.read("churn_outcomes", months, "month")
        told = told.filter(told.censored.isnull(), ~told.treated, told.propensity < 1).distinct()
        days = [self.scan_day(each).isoformat() for each in self._with_factors(month)]
        factors = self._lake.read("risk_factors", days, "scan_day")
        joined = self._sampled(told.drop("month")).inner_join(factors, ["customer_id", "scan_day"])
        return self._lake.engine.keep(joined.filter(joined.tenure_days >= 0))

    def _months(self, month: date) -> list[str]:
        return [month_key(each) for each in self._with_factors(month)]

    def _with_factors(self, month: date) -> list[date]:
        """The months up to one whose outcomes are there, as many as are needed."""
        told, scanned = set(self._lake.partitions("churn_outcomes")), set(self._lake.partitions("risk_factors"))
        reach = self._rules.training_months + self._rules.validation_months + -(-self.horizon // 28)
        past = months_between(self._workspace.settings.history_start, month)[-reach:]
        return [each for each in past if month_key(each) in told and self.scan_day(each).isoformat() in scanned]

    def _names(self, month: date) -> list[str] | None:
        """The signals to learn from: the declared, and the kinds, plans and segments of the latest scan day."""
        months = self._with_factors(month)
        if not months:
            return None
        latest = self._lake.read("risk_factors", [self.scan_day(months[-1]).isoformat()], "scan_day")
        names = [signal.name for signal in CATALOGUE]
        kinds = latest.kind_rates_30d.keys().unnest().name("level").as_table()
        plans, segments = latest.select(level="plan"), latest.select(level="segment")
        for prefix, rows in {"rate": kinds, "growth": kinds, "plan": plans, "segment": segments}.items():
            names += [found(prefix, level).name for level in self._levels(rows, prefix in ("rate", "growth"))]
        return names

    def _levels(self, rows: ir.Table, kinds: bool) -> list[str]:
        total = self._lake.engine.value(rows.count())
        counted = rows.filter(rows.level.notnull()).group_by("level").agg(n=ibis._.count())
        most = counted.order_by([ibis.desc("n"), "level"]).limit(KINDS_AT_MOST if kinds else LEVELS_AT_MOST)
        levels = [row["level"] for row in self._lake.engine.rows(most) if row["n"] >= LEVEL_SHARE * total]
        return sorted(levels) if len(levels) > 1 or kinds else []

    def _sampled(self, table: ir.Table) -> ir.Table:
        """At most `rows_at_most` rows: every churner, and every so manieth of the others, which stand for the rest."""
        counts = self._lake.engine.rows(table.agg(rows=table.count(), churners=table.churned.sum()))[0]
        room = max(self._rules.rows_at_most - (counts["churners"] or 0), self._rules.rows_at_most // 2)
        others = counts["rows"] - (counts["churners"] or 0)
        step = max(1, -(-others // room))
        order = ibis.row_number().over(group_by="churned", order_by=["scan_day", "customer_id"])
        table = table.mutate(place=order, stands_for=table.churned.ifelse(1.0, float(step)))
        return table.filter(table.churned | (table.place % step == 0))

    def _matrix(self, table: ir.Table, names: list[str]) -> Rows:
        import numpy as np

        scored = score(
            table, self._workspace.risk.scoring,
            [family for family in FAMILIES if FAMILY_SOURCES[family] in self._sources.connected],
        ).select("customer_id", "scan_day", prior="score")  # fmt: skip
        joined = table.inner_join(scored, ["customer_id", "scan_day"]).order_by(["scan_day", "customer_id"])
        wanted = {f"s{n}": signal_value(joined, name).cast("float64") for n, name in enumerate(names)}
        frame = self._lake.engine.frame(
            joined.select(
                "customer_id", "churned", "prior", day=number(joined.scan_day),
                weight=joined.stands_for / (1 - joined.propensity), **wanted,
            )
        )  # fmt: skip
        _, customer = np.unique(frame["customer_id"].to_numpy(dtype=str), return_inverse=True)
        return Rows(
            names=tuple(names), matrix=frame[list(wanted)].to_numpy(dtype=float),
            churned=frame["churned"].to_numpy(dtype=float), weight=frame["weight"].to_numpy(dtype=float),
            day=frame["day"].to_numpy(), customer=customer, prior=frame["prior"].to_numpy(dtype=float),
        )  # fmt: skip

    def _interventions(self) -> ir.Table:
        if self._lake.has("interventions"):
            return self._lake.read("interventions")
        return self._table("interventions", [])

    def _replace(self, table: str, month: date, rows: ir.Table) -> None:
        key = month_key(month)
        self._lake.replace(table, rows.mutate(month=ibis.literal(key)), [key], "month")

    def _table(self, name: str, rows: list[dict[str, Any]]) -> ir.Table:
        import pyarrow

        columns = {column.name: column.type for column in LAKE_TABLES[name] if column.name != "month"}
        return self._lake.engine.arrow(pyarrow.Table.from_pylist(rows, ibis.schema(columns).to_pyarrow()))


def _kept(refit: Refit) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables that a refit is kept in."""
    decision = refit.decision
    return {
        "risk_weights": _steps(refit.candidate) if refit.candidate else [],
        "weight_metrics": [
            {"model": model, "metric": name, "value": each.value, "low": each.low, "high": each.high}
            for model, figures in refit.metrics.items()
            for name, each in figures.items()
        ],
        "weight_decisions": [
            {
                "decision": decision.model_dump_json(),
                "candidate": decision.candidate,
                "status": decision.status,
                "champion": decision.champion,
                "training_rows": refit.training_rows,
                "training_churners": refit.training_churners,
                "validation_rows": refit.validation_rows,
                "validation_churners": refit.validation_churners,
            }
        ],
    }


def _steps(card: Scorecard) -> list[dict[str, Any]]:
    """A scorecard as a plain table, one row per step of a curve."""
    rows = [_step(card, None, 0, None, card.intercept)]
    for curve in card.curves:
        starts = (None, *curve.edges)
        steps = zip(starts, curve.points, strict=True)
        rows += [_step(card, curve, n, start, points) for n, (start, points) in enumerate(steps)]
        rows.append(_step(card, curve, None, None, curve.missing))
    for each in card.departures:
        own = {"version": card.version, "segment": each.segment}
        rows.append(own | {"signal": "intercept", "points": card.intercept + each.shift})
        rows += [own | {"family": family, "factor": factor} for family, factor in each.factors.items()]
    return rows


def _step(card: Scorecard, curve: Curve | None, step: int | None, start: float | None, points: float) -> dict[str, Any]:
    return {
        "version": card.version,
        "family": curve and curve.family,
        "family_weight": card.of(curve.family) if curve else None,
        "signal": curve.signal if curve else "intercept",
        "direction": curve and curve.direction,
        "step": step,
        "from_value": start,
        "points": points,
    }


def month_end(month: date) -> date:
    """Last day of the month that starts at `month`."""
    return month.replace(day=monthrange(month.year, month.month)[1])


def _scored(rows: Rows, says: "np.ndarray", calibrated: bool = True) -> Scored:
    return Scored(says, rows.churned, rows.customer, rows.weight, calibrated)


def _drift(training: Rows, held_out: Rows, candidate: Scorecard) -> dict[str, tuple[float, float]]:
    """Population stability of every signal in use, between learning and validation."""
    column = {name: n for n, name in enumerate(training.names)}
    return {
        name: validation.population_stability(training.matrix[:, column[name]], held_out.matrix[:, column[name]])
        for name in candidate.signals
    }
