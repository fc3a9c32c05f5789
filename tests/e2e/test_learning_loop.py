"""The learning loop on the simulated company, whose truth is known: outcomes mature, refits follow, scores improve."""

import base64
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration_project.definitions import build
from orchestration_project.domain import learning, validation
from orchestration_project.domain.champions import Decision, line_of_succession
from orchestration_project.domain.control import in_control
from orchestration_project.domain.days import DayRange, day_number
from orchestration_project.domain.learning import Rows
from orchestration_project.domain.rules import FAMILIES, Weights
from orchestration_project.domain.scorecard import Scorecard
from orchestration_project.domain.scoring import score
from orchestration_project.domain.validation import Scored
from orchestration_project.jobs import LEARN, REFRESH
from orchestration_project.partitions import month_key, months_between
from orchestration_project.refits import Learner
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan
from orchestration_project.settings import Home, Settings
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.simulate import simulate
from orchestration_project.weights import decisions
from orchestration_project.weights_report import weights_report

START, SHIFT, UNTIL = date(2024, 1, 1), date(2025, 4, 2), date(2026, 3, 31)
FIRST_SCAN = date(2024, 3, 1)
HORIZON = 90
MONTHS = months_between(date(2024, 6, 1), UNTIL)
LAST_OF_OLD, FIRST_OF_NEW = date(2025, 6, 1), date(2025, 12, 1)
"""The last month whose scan day is before the shift; the first whose refit learns from a scan day after it."""
AFTER_SHIFT = date(2025, 9, 1)
"""A scan day of which the truth was kept, as of every first of a month."""
UNTIL_TREATED = date(2025, 3, 31)
TABLES = ("customers", "usage_events", "support_tickets", "invoices", "engagements")
FACTORS = ("customer_profiles", "usage_trends", "risk_factors")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SETTINGS = {"history_start": START, "engine": {"memory_limit": "4GB", "threads": 2}}
COMPANY = Company(
    customers=4000, start=START, months=27, monthly_churn=0.04, outreach_effect=0.8, ways=(0.5, 0.3, 0, 0, 0.2),
    shift={"on": SHIFT, "ways": (0, 0, 0.45, 0.45, 0.1)},
)  # fmt: skip
RULES = Settings().learning
SVG = re.compile(r"http://www\.w3\.org/[0-9a-z/]+")
SALT, CONTROL_SHARE = "held back", 0.2


@dataclass(frozen=True)
class Loop:
    """A home whose sources are a simulated company's tables, and what scans and refits it."""

    folder: Path
    until: date
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    @property
    def workspace(self) -> Workspace:
        after = datetime.combine(self.until, datetime.min.time(), UTC) + timedelta(days=1, hours=8)
        return Workspace(Home(self.folder / "home"), lambda: after)

    def simulate(self, outreach: pa.Table | None = None) -> None:
        simulate(COMPANY, self.until, self.folder / "company", outreach)
        home = self.workspace.home
        home.path.mkdir()
        home.settings_file.write_text(yaml.safe_dump(SETTINGS))
        files = {name: str(self.folder / "company" / "tables" / name / "*.parquet") for name in TABLES}
        sources = {name: {"connector": "files", "path": path} for name, path in files.items()}
        home.sources_file.write_text(yaml.safe_dump({"tables": sources}))
        self.run(REFRESH, START, self.until)

    def run(self, job: str, first: date, last: date) -> None:
        tags = {
            "dagster/asset_partition_range_start": month_key(first),
            "dagster/asset_partition_range_end": month_key(last),
        }
        resolved = build(self.workspace).resolve_job_def(job)
        assert resolved.execute_in_process(instance=self.instance, run_config=QUIET, tags=tags).success

    def scan(self, months: list[date]) -> None:
        """Scans the days whose outcomes mature with the months."""
        with self.workspace.lake() as lake:
            scan = Scan(lake, self.workspace)
            for day in map(scan_day, months):
                for table in FACTORS:
                    scan.write(table, DayRange(day, day))

    def rows(self, month: date) -> Rows:
        """Everything that can be learned from at the end of a month."""
        with self.workspace.lake() as lake:
            found = Learner(lake, self.workspace).rows(month)
        assert found is not None
        return found

    @cached_property
    def all_rows(self) -> Rows:
        return self.rows(month_of(self.until))

    @cached_property
    def decisions(self) -> list[Decision]:
        with self.workspace.lake() as lake:
            return decisions(lake)

    @cached_property
    def candidates(self) -> dict[date, Scorecard]:
        """The scorecard of each month that had enough to learn from."""
        return {each.month: self.workspace.scorecard(each.candidate) for each in self.decisions if each.candidate}

    def in_force(self, day: date) -> Scorecard | None:
        """The scorecard that a scan of a day is scored with; None while that is the prior."""
        return self.workspace.scorecard(line_of_succession("prior", self.decisions, [], day)[-1])

    def stored(self, table: str, month: date) -> list[str]:
        """The rows of a month, exactly, in an order that does not depend on who wrote first."""
        file = self.workspace.home.lake / table / f"month={month_key(month)}" / "part-0.parquet"
        return sorted(repr(row) for row in pq.read_table(file, partitioning=None).to_pylist())

    def read(self, table: str, day: date) -> pa.Table:
        return pq.read_table(self.workspace.home.lake / table / f"scan_day={day}" / "part-0.parquet", partitioning=None)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Loop(tmp_path_factory.mktemp("loop"), UNTIL)
        found.simulate()
        found.scan(MONTHS)
        found.run(LEARN, MONTHS[0], MONTHS[-1])
        yield found


def test_months_learned_again_one_by_one_are_what_one_run_over_all_of_them_left(loop: Loop) -> None:
    tables = ("churn_outcomes", "risk_weights", "weight_metrics", "weight_decisions")
    for month in (MONTHS[8], MONTHS[15], MONTHS[-1]):
        before = {table: loop.stored(table, month) for table in tables}
        loop.run(LEARN, month, month)
        assert {table: loop.stored(table, month) for table in tables} == before


def test_observed_churn_rises_with_every_integer_score_and_high_churns_four_times_as_low(loop: Loop) -> None:
    scoring = loop.workspace.risk.scoring
    rows, points = loop.all_rows, np.full(len(loop.all_rows), np.nan)
    for month in MONTHS:
        card, on = loop.in_force(scan_day(month)), is_on(rows, scan_day(month))
        if card is not None:
            odds = card.log_odds(rows.matrix[on], rows.names)
            points[on] = np.clip(scoring.learned_score(odds, card.base_odds), 1, 10)
    scored = ~np.isnan(points)
    score, churned = points[scored], rows.churned[scored]
    by_score = {n: churned[np.minimum(np.floor(score), 9) == n] for n in range(1, 10)}
    observed = [each.mean() for each in by_score.values()]
    assert observed == sorted(observed)
    assert churned[score >= 8].mean() >= 4 * churned[score < 4].mean()


def test_scores_get_nearer_to_the_true_probabilities_as_months_pass(loop: Loop) -> None:
    before_shift = errors(loop, scan_day(LAST_OF_OLD))
    assert max(before_shift[1:]) < before_shift[0]
    after_shift = errors(loop, AFTER_SHIFT)[-4:]
    assert after_shift == sorted(after_shift, reverse=True)
    assert after_shift[-1] < 0.8 * after_shift[0]


def test_weights_move_towards_the_truth_and_follow_it_through_a_change_of_regime(loop: Loop) -> None:
    rows, cards = loop.all_rows, loop.candidates
    old = learning.fit(rows.where(rows.day <= day_number(scan_day(LAST_OF_OLD))), RULES, HORIZON).weights
    new = learning.fit(rows.where(rows.day >= day_number(SHIFT)), RULES, HORIZON).weights
    first = cards[min(cards)].weights
    assert distance(Weights().model_dump(), old) > 2 * distance(first, old)
    assert distance(first, old) > distance(cards[LAST_OF_OLD].weights, old)
    since = [distance(each.weights, new) for each in refits(loop, FIRST_OF_NEW, 4)]
    assert since == sorted(since, reverse=True)
    assert since[-1] < 0.8 * since[0]


def test_after_a_change_of_regime_scores_recover_within_three_refits_that_saw_it(loop: Loop) -> None:
    last = loop.all_rows.where(is_on(loop.all_rows, scan_day(MONTHS[-1])))
    seen = loop.all_rows.where((loop.all_rows.day >= day_number(SHIFT)) & (loop.all_rows.day < last.day[0] - HORIZON))
    best = figure("auc", learning.fit(seen, RULES, HORIZON), last)
    before, *_, after = refits(loop, FIRST_OF_NEW, 3)
    lost = best - figure("auc", before, last)
    assert lost > 0.1
    assert best - figure("auc", after, last) < 0.2 * lost


def test_the_page_about_a_refit_holds_all_pictures_and_nothing_of_elsewhere(loop: Loop) -> None:
    with loop.workspace.lake() as lake:
        page = weights_report(loop.workspace, lake, MONTHS[-1])
    assert page.count("<img") == page.count('src="data:image/svg+xml;base64,') == 12
    assert loop.candidates[MONTHS[-1]].version in page
    assert not re.search(r"https?://|<script|<link|url\(", page)
    pictured = [base64.b64decode(each).decode() for each in re.findall(r'svg\+xml;base64,([^"]+)"', page)]
    assert all("<svg" in each and "NaN" not in each and "http" not in SVG.sub("", each) for each in pictured)


def test_a_refit_that_ignores_what_we_did_is_wrong_and_one_that_accounts_for_it_is_right(
    loop: Loop, tmp_path: Path
) -> None:
    """Outreach keeps customers. In the same company without it, it is known who would have left."""
    months = [month for month in MONTHS if month <= UNTIL_TREATED]
    acts = interventions(loop, months)
    treated = Loop(tmp_path, UNTIL_TREATED)
    treated.simulate(acts.filter(acts["delivered"]).select(["customer_id", "day"]))
    treated.scan(months)
    naive, aware = (refit_knowing(treated, told, months) for told in (acts.slice(0, 0), acts))

    latest = [day_number(scan_day(month)) for month in months[-4:]]
    untouched = loop.all_rows.where(np.isin(loop.all_rows.day, latest))
    risky = untouched.where(probability(aware, untouched) >= np.quantile(probability(aware, untouched), 0.9))
    would_leave = risky.churned.mean()
    assert probability(naive, risky).mean() < 0.75 * would_leave
    assert probability(aware, risky).mean() == pytest.approx(would_leave, rel=0.1)
    assert probability(aware, untouched).mean() == pytest.approx(untouched.churned.mean(), rel=0.1)
    assert figure("log_loss", aware, untouched) < figure("log_loss", naive, untouched)


def refit_knowing(loop: Loop, acts: pa.Table, months: list[date]) -> Scorecard:
    """What is learned where the lake knows these acts."""
    with loop.workspace.lake() as lake:
        lake.replace("interventions", lake.engine.arrow(acts))
        for month in months:
            Learner(lake, loop.workspace).write_outcomes(month)
    return learning.fit(loop.rows(months[-1]), RULES, HORIZON)


def errors(loop: Loop, day: date) -> list[float]:
    """Mean squared distance to the true probabilities of a day, of each refit that had seen no outcome of that day."""
    health = loop.folder / "company" / "truth" / "health.parquet"
    truth = pq.read_table(health, filters=[("day", "=", day)]).to_pandas().set_index("customer_id")["leave_probability"]
    scoring, found = loop.workspace.risk.scoring, []
    with loop.workspace.lake() as lake:
        factors = lake.read("risk_factors", [day.isoformat()], "scan_day")
        for _, card in sorted(loop.candidates.items()):
            if date.fromisoformat(card.trained_on[-1]) < day - timedelta(HORIZON):
                scored = lake.engine.frame(score(factors, scoring, FAMILIES, scorecard=card))
                found.append(float(((scored.set_index("customer_id")["probability"] - truth) ** 2).mean()))
    return found


def interventions(loop: Loop, months: list[date]) -> pa.Table:
    """An outreach on the day after each scan to everybody whose use declined, but for a control group."""
    parts = []
    for day in map(scan_day, months):
        factors = loop.read("risk_factors", day)
        risky = factors.filter(pc.greater_equal(factors["usage_decline"], 0.3))["customer_id"].to_pylist()
        held_back = [in_control(each, SALT, CONTROL_SHARE) for each in risky]
        on = [day + timedelta(1)] * len(risky)
        parts.append(
            pa.table(
                {"customer_id": risky, "day": on, "propensity": [1 - CONTROL_SHARE] * len(risky),
                 "delivered": [not each for each in held_back]}
            )
        )  # fmt: skip
    return pa.concat_tables(parts)


def refits(loop: Loop, first: date, number: int) -> list[Scorecard]:
    """The last scorecard before a month, and those of so many months from it on."""
    months = sorted(loop.candidates)
    start = months.index(first)
    return [loop.candidates[month] for month in months[start - 1 : start + number]]


def distance(weights: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Half the sum of absolute differences: the share of weight that has to move."""
    return sum(abs(weights[family] - others[family]) for family in FAMILIES) / 2


def scan_day(month: date) -> date:
    """The scan day whose outcomes mature with a month."""
    return (month + timedelta(31)).replace(day=1) - timedelta(1 + HORIZON)


def month_of(day: date) -> date:
    return day.replace(day=1)


def is_on(rows: Rows, day: date) -> np.ndarray:
    return rows.day == day_number(day)


def probability(card: Scorecard, rows: Rows) -> np.ndarray:
    return 1 / (1 + np.exp(-card.log_odds(rows.matrix, rows.names)))


def figure(metric: str, card: Scorecard, rows: Rows) -> float:
    says = Scored(card.log_odds(rows.matrix, rows.names), rows.churned, rows.customer, rows.weight)
    return validation.metrics(says)[metric].value
