"""Impact: what the lake and the operations store say of whether acting helped, and what is kept of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.domain import conduct
from orchestration_project.domain.conduct import Alerts, Decisions, History, Message, Responses, Review
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.effects import Group
from orchestration_project.domain.impact import (
    Assigned,
    Effect,
    by_play,
    effect,
    everyone,
    first_of_each,
    plays_to_switch_off,
)
from orchestration_project.domain.outcomes import censoring, horizon_days, leavers, silent, usage_seen_until
from orchestration_project.domain.proportions import Share
from orchestration_project.lake import Lake
from orchestration_project.partitions import day_keys, month_key, months_between
from orchestration_project.resources import Workspace
from orchestration_project.settings import cutoff
from orchestration_project.sources.config import load_sources

if TYPE_CHECKING:
    from orchestration_project.operations.history import Recorded

OUTCOMES, INTERVENTIONS = "business_outcomes", "interventions"
SHARES = {"approved": "approval_rate", "edited": "edit_rate", "rejected": "rejection_rate", "expired": "expiry_rate"}
"""What becomes of drafts, and the metric of its share."""


@dataclass(frozen=True)
class Finding:
    """Everything that could be told after the scan of a day."""

    day: date
    overall: Effect
    plays: dict[str, Effect]
    alerts: Alerts
    responses: list[Responses]
    decisions: list[Decisions]
    assigned: dict[str, int]
    """Customers by arm."""
    delivered: int
    """Customers whom something was done for."""
    harmful: dict[str, str]
    """Plays that are to be switched off, with the reason."""
    changed_share: bool
    """Whether customers were assigned with different shares of control."""


class Measuring:
    """Measures what acting changed, on one day or on each of a range, from what was known by then."""

    def __init__(self, lake: Lake, workspace: Workspace) -> None:
        self._lake, self._workspace = lake, workspace
        self._churn = load_sources(workspace.home).churn
        self.horizon = horizon_days(self._churn, workspace.risk.severities.horizon_days)
        """Days after an assignment in which leaving counts."""

    def findings(self, days: DayRange) -> list[Finding]:
        """What could be told after the scan of each day."""
        grace = self._workspace.settings.grace_hours
        with self._lake.engine.scope():
            history = self.history(days.last)
        return [self._finding(day, history.known(day, cutoff(day, grace))) for day in days.dates]

    def write(self, days: DayRange) -> list[Finding]:
        """Replaces the days of `business_outcomes`, and `interventions` where there is a store; what it found."""
        found = self.findings(days)
        rows = [row | {"scan_day": each.day} for each in found for row in kept(each)]
        with self._lake.engine.scope():
            self._lake.replace(OUTCOMES, self._table(OUTCOMES, rows), day_keys(days), "scan_day")
            if self._recorded is not None:
                acts = [_intervention(row) for row in self._recorded[0]]
                self._lake.replace(INTERVENTIONS, self._table(INTERVENTIONS, acts))
        return found

    def switch_off(self, finding: Finding) -> list[str]:
        """Switches off the plays that harm and that nobody ever switched, and returns them."""
        if not finding.harmful:
            return []
        from orchestration_project.operations.store import Store
        from orchestration_project.operations.switches import RULE, off_by_rule

        home, now = self._workspace.home, self._workspace.now()
        with Store.open(home) as store, store.transaction(RULE, now) as tx:
            return off_by_rule(tx, finding.harmful)

    def _finding(self, day: date, history: History) -> Finding:
        rules, first = self._workspace.settings.impact, first_of_each(history.assigned)
        plays = by_play(first)
        return Finding(
            day=day,
            overall=effect(first, rules),
            plays={play: effect(rows, rules) for play, rows in plays.items()},
            alerts=conduct.alerts(history.assigned),
            responses=conduct.responses(history.messages),
            decisions=conduct.decisions(history.reviews),
            assigned={arm: sum(row.arm == arm for row in first) for arm in ("treated", "control")},
            delivered=len({row.customer_id for row in history.assigned if row.delivered_at is not None}),
            harmful=plays_to_switch_off(plays, rules),
            changed_share=len({round(row.propensity, 6) for row in first}) > 1,
        )

    @cached_property
    def _recorded(self) -> "tuple[list[Recorded], list[Message], list[Review]] | None":
        """What the store has; None where the home has no store, which is not made by looking for it."""
        from orchestration_project.operations import history
        from orchestration_project.operations.store import Store, is_there

        if not is_there(self._workspace.home):
            return None
        with Store.open(self._workspace.home) as store, store.reading() as session:
            return history.assignments(session), history.messages(session), history.reviews(session)

    def history(self, last: date) -> History:
        """Everything that was done, with the outcomes that had matured by a day."""
        if self._recorded is None:
            return History()
        assignments, messages, reviews = self._recorded
        return History(self._with_outcomes(assignments, last), messages, reviews)

    def _with_outcomes(self, recorded: "Sequence[Recorded]", last: date) -> list[Assigned]:
        told = self._told({(row.customer_id, row.scan_day) for row in recorded}, last)
        nothing: tuple[None, None] = (None, None)
        return [self._assigned(row, *told.get((row.customer_id, row.scan_day), nothing)) for row in recorded]

    def _assigned(self, row: "Recorded", mrr: float | None, churned: bool | None) -> Assigned:
        closed = cutoff(row.scan_day, self._workspace.settings.grace_hours)
        hours = None if row.delivered_at is None else (row.delivered_at - closed).total_seconds() / 3600
        return Assigned(
            row.customer_id, row.play, "control" if row.arm == "control" else "treated", row.scan_day, row.propensity,
            mrr, row.scan_day + timedelta(self.horizon), churned, row.delivered_at, hours,
        )  # fmt: skip

    def _told(
        self, keys: set[tuple[str, date]], last: date
    ) -> dict[tuple[str, date], tuple[float | None, bool | None]]:
        """Revenue and, where its horizon is over and it counts, the outcome, by customer and scan day.

        A customer of a day whose scan is not there any more has neither.
        """
        scanned = set(self._lake.partitions("customer_profiles"))
        keys = {key for key in keys if key[1].isoformat() in scanned}
        if not keys:
            return {}
        windows = self._windows(keys)
        days = sorted({day for _, day in keys})
        profiles = self._lake.read("customer_profiles", [day.isoformat() for day in days], "scan_day")
        over = [day for day in days if day + timedelta(self.horizon) <= last]
        left, seen = self._left(windows.filter(windows.scan_day.isin(over)), over)
        both = ["customer_id", "scan_day"]
        people = profiles.semi_join(windows, both)
        people = people.left_join(left.mutate(left=True), both).drop("customer_id_right", "scan_day_right")
        counts = censoring(people, self._workspace.settings.learning.min_tenure_days, people.scan_day.isin(seen))
        churned = counts.isnull().ifelse(people.left.fill_null(False), ibis.null("boolean"))
        rows = self._lake.engine.rows(people.select(*both, "mrr", churned=churned))
        return {(row["customer_id"], row["scan_day"]): (row["mrr"], row["churned"]) for row in rows}

    def _windows(self, keys: set[tuple[str, date]]) -> ir.Table:
        import pyarrow

        day = pyarrow.date32()
        columns = pyarrow.schema({"customer_id": pyarrow.string(), "scan_day": day, "until": day})
        rows = [{"customer_id": customer, "scan_day": first, "until": first + timedelta(self.horizon)}
                for customer, first in sorted(keys)]  # fmt: skip
        return self._lake.engine.arrow(pyarrow.Table.from_pylist(rows, columns))

    def _left(self, windows: ir.Table, days: list[date]) -> tuple[ir.Table, list[date]]:
        """Who left within a horizon that is over, and the scan days whose horizon the source reached the end of."""
        if self._churn.kind == "contract" or not days:
            return leavers(windows, self._lake.read("customers")), days
        seen = [day for day in days if self._usage_seen(day)]
        months = sorted({month for day in seen for month in self._months(day)})
        if not months:
            return windows.select("customer_id", "scan_day").limit(0), []
        usage = self._lake.read("usage_daily", months, "month")
        return silent(windows.filter(windows.scan_day.isin(seen)), usage), seen

    def _usage_seen(self, day: date) -> bool:
        months = self._months(day)
        if not set(months) <= set(self._lake.partitions("usage_daily")):
            return False
        covered = self._lake.read("usage_coverage", months, "month")
        return bool(self._lake.engine.value(usage_seen_until(covered, day + timedelta(self.horizon))))

    def _months(self, day: date) -> list[str]:
        return [month_key(month) for month in months_between(day, day + timedelta(self.horizon))]

    def _table(self, name: str, rows: list[dict[str, Any]]) -> ir.Table:
        import pyarrow

        columns = {column.name: column.type for column in LAKE_TABLES[name]}
        return self._lake.engine.arrow(pyarrow.Table.from_pylist(rows, ibis.schema(columns).to_pyarrow()))


def kept(finding: Finding) -> list[dict[str, Any]]:
    """Rows of `business_outcomes`, without their scan day."""
    return [_row(**row) for row in _rows(finding)]


def sentence(found: Effect, horizon: int) -> str:
    """The verdict in plain words, with what it rests on."""
    lift, ratio, known = found.lift, found.ratio, everyone(found.lift)
    if found.verdict == "assignment broken" and ratio is not None:
        total = ratio.treated + ratio.control
        return (
            f"The assignment is broken: {ratio.control:,} of {total:,} customers were held back where "
            f"{ratio.expected_share:.1%} were to be, and chance does not do that, so no effect can be told until it "
            "is mended."
        )
    if lift.difference is None or lift.low is None or lift.high is None:
        return _nothing_yet(found)
    more = "more" if lift.difference >= 0 else "fewer"
    compared = (
        f"of 100 customers at risk, {abs(100 * lift.difference):.1f} {more} stayed over {horizon} days where we "
        f"were to act than where chance held us back (95 % interval {100 * lift.low:+.1f} to {100 * lift.high:+.1f})"
    )
    if found.verdict in ("helps", "harms"):
        return f"It {found.verdict}: {compared}."
    if found.verdict == "no effect shown":
        return f"No effect is shown: {compared}, and the groups are large enough to have shown one that matters."
    enough = f" of about {found.needed:,} that are needed" if found.needed else ""
    return f"There is not enough data yet: so far, {compared}, from {known.customers:,} known outcomes{enough}."


def _nothing_yet(found: Effect) -> str:
    known, lift = everyone(found.lift), found.lift
    if not known.customers + found.waiting + found.uncounted:
        return "There is not enough data yet: nobody was assigned to a play, so nothing was done that could help."
    if found.ratio is None:
        return (
            "There is not enough data, and there will not be: nobody is held back, so there is nothing to compare "
            "with; set `learning.control_share` above 0."
        )
    return (
        f"There is not enough data yet: the outcomes of {lift.treated.customers:,} customers whom we were to act for "
        f"and of {lift.control.customers:,} held back are known, and of {found.waiting:,} they will be later."
    )


def _intervention(row: "Recorded") -> dict[str, Any]:
    """What learning is to know of an assignment.

    Where it was left undone, and not by chance, the row stands for nobody: its probability is not known.
    """
    done, held_back = row.delivered_at, row.arm == "control"
    return {
        "customer_id": row.customer_id,
        "day": row.scan_day + timedelta(1) if done is None or held_back else done.astimezone(UTC).date(),
        "propensity": row.propensity if held_back or done is not None else None,
        "delivered": done is not None and not held_back,
    }


def _rows(finding: Finding) -> Iterator[dict[str, Any]]:
    yield from _of_effect(None, finding.overall)
    for play, found in finding.plays.items():
        yield from _of_effect(play, found)
    alerts = finding.alerts
    yield _share("alert_precision", alerts.alerted)
    yield _share("alert_precision_held_back", alerts.held_back)
    yield {"metric": "hours_to_alert_median", "value": alerts.hours_median, "n": alerts.timed}
    yield {"metric": "hours_to_alert_p95", "value": alerts.hours_p95, "n": alerts.timed}
    for each in finding.responses:
        for name, share in each.shares.items():
            yield _share(f"{name}_rate", share) | {"play": each.play, "variant": each.variant}
    for told in finding.decisions:
        for name, metric in SHARES.items():
            yield _share(metric, getattr(told, name)) | {"play": told.play}
        yield {"metric": "edit_distance", "play": told.play, "value": told.distance, "n": told.edited.count}


def _of_effect(play: str | None, found: Effect) -> Iterator[dict[str, Any]]:
    lift, revenue, ratio = found.lift, found.revenue, found.ratio
    known = everyone(lift).customers
    yield {"metric": "retention_lift", "value": lift.difference, "low": lift.low, "high": lift.high, "n": known,
           "verdict": found.verdict, "play": play}  # fmt: skip
    yield _share("retention_treated", retained(lift.treated)) | {"play": play}
    yield _share("retention_control", retained(lift.control)) | {"play": play}
    yield {"metric": "leaves_averted", "value": lift.relative, "n": known, "play": play}
    yield {"metric": "smallest_detectable", "value": lift.detectable, "n": known, "play": play}
    yield {"metric": "revenue_saved", "value": revenue.saved, "low": revenue.low, "high": revenue.high,
           "n": revenue.known, "play": play}  # fmt: skip
    yield {"metric": "revenue_unknown", "value": float(revenue.unknown), "n": revenue.known + revenue.unknown,
           "play": play}  # fmt: skip
    yield {"metric": "waiting", "value": float(found.waiting), "n": known + found.waiting + found.uncounted,
           "play": play}  # fmt: skip
    if ratio is not None:
        yield _share("control_share", Share(ratio.control, ratio.treated + ratio.control)) | {"play": play}
        yield {"metric": "control_share_declared", "value": round(ratio.expected_share, 9), "play": play}


def arms(finding: Finding) -> Any:
    """What `charts.retention` draws: how many of each group stayed, of all and by play, where anything is known."""
    import pandas as pd

    effects = {"all plays": finding.overall, **{play.replace("_", " "): each for play, each in finding.plays.items()}}
    rows = []
    for play, found in effects.items():
        for group, who in (("acted on", found.lift.treated), ("held back", found.lift.control)):
            share = retained(who)
            low, high = share.interval
            rows.append({"play": play, "group": group, "stayed": share.value, "low": low, "high": high})
    return pd.DataFrame([row for row in rows if row["stayed"] is not None])


def retained(group: Group) -> Share:
    """How many of a group stayed."""
    return Share(group.customers - group.churners, group.customers)


def _share(metric: str, share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"metric": metric, "value": share.value, "low": low, "high": high, "n": share.of}


def _row(
    metric: str, value: float | None, n: int | None = None, low: float | None = None, high: float | None = None,
    play: str | None = None, variant: str | None = None, verdict: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {"metric": metric, "play": play, "variant": variant, "value": value, "low": low, "high": high, "n": n,
            "verdict": verdict}  # fmt: skip
