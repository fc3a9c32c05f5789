"""Accuracy: the learned score on real purchases, against models that nobody has to be able to explain.

Split as the product splits: the last three scan days whose outcomes matured are kept for the test, training days are
those that had matured before the first of them. Whatever is tuned is tuned on training days.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import yaml

from benchmarks.measures import Row, row
from orchestration_project.definitions import build
from orchestration_project.domain import learning, validation
from orchestration_project.domain.days import EPOCH, DayRange, day_number
from orchestration_project.domain.learning import Rows
from orchestration_project.domain.validation import Figure, Scored
from orchestration_project.jobs import REFRESH
from orchestration_project.partitions import month_key, months_between
from orchestration_project.refits import Learner, month_end
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan
from orchestration_project.settings import Home
from orchestration_project.sources.examples import prepare

WITHIN = 0.005
SLOPES = (0.85, 1.15)
TEST_DAYS = 3
WEEK = 7
FACTORS = ("customer_profiles", "usage_trends", "risk_factors")
GRID = tuple(product((4, 8, 16, 31), (20, 100), (0.0, 10.0)))
"""LightGBM: leaves, smallest leaf, ridge; the number of rounds is found on the way."""
PENALTY = 0.001
"""Of BG/NBD's parameters: without any, the fit does not converge on households that hardly ever stop buying."""
RATE, ROUNDS, PATIENCE = 0.03, 600, 40
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Case:
    """A data set, what churn is in it, and the AUC that the prior must reach before anything is learned."""

    title: str
    example: str
    months: tuple[date, date]
    churn_days: int
    prior_above: float


CASES = (
    Case("CDNOW, 90 days", "cdnow", (date(1997, 1, 1), date(1998, 6, 1)), 90, 0.60),
    Case("CDNOW, 180 days", "cdnow", (date(1997, 1, 1), date(1998, 6, 1)), 180, 0.60),
    Case("Complete Journey, 30 days", "complete-journey", (date(2017, 1, 1), date(2017, 12, 1)), 30, 0.75),
)


def accuracy(folder: Path) -> list[Row]:
    """The learned score, the prior and three models without constraints, on days that none had seen."""
    return [each for case in CASES for each in _measured(case, folder / f"{case.example}-{case.churn_days}")]


def _measured(case: Case, home: Path) -> list[Row]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows, purchases, ids = _outcomes(case, home)
        first = rows.days[-TEST_DAYS]
        training, test = rows.between(0, first - case.churn_days), rows.between(first, rows.days[-1])
        says = {
            "learned score": _scorecard(training, case.churn_days)(test),
            "logistic regression": _logistic_regression(training)(test),
            "LightGBM, tuned": _lightgbm(training, case.churn_days)(test),
            "BG/NBD": _bg_nbd(purchases, ids, test, case.churn_days),
        }
    judged = {name: Scored(each, test.churned, test.customer, test.weight) for name, each in says.items()}
    known = ~np.isnan(test.prior)
    prior = validation.metrics(
        Scored(test.prior[known], test.churned[known], test.customer[known], test.weight[known], calibrated=False)
    )["auc"]
    figures = {name: validation.metrics(each) for name, each in judged.items()}
    auc = {name: each["auc"] for name, each in figures.items()}
    best = max((name for name in auc if name != "learned score"), key=lambda name: auc[name].value)
    gap = validation.difference(judged["learned score"], judged[best], "auc")
    slope = figures["learned score"]["slope"]
    days = ", ".join(str(date.fromordinal(EPOCH.toordinal() + day)) for day in test.days)
    told = f"{len(training):,} rows of {len(training.days)} days; tested on {len(test):,} of {days}"
    return [
        row(case.title, f"learned from {told}"),
        row("  prior, AUC", _told(prior), f">= {case.prior_above:.2f}", prior.value >= case.prior_above),
        *(row(f"  {name}, AUC", _told(each)) for name, each in auc.items()),
        row(f"  learned score minus {best}", _told(gap, "+.4f"), f">= -{WITHIN}", gap.value >= -WITHIN),
        row("  calibration slope", _told(slope), "{} to {}".format(*SLOPES), SLOPES[0] <= slope.value <= SLOPES[1]),
    ]


def _told(figure: Figure, digits: str = ".3f") -> str:
    return f"{figure.value:{digits}} ({figure.low:{digits}} to {figure.high:{digits}})"


def _outcomes(case: Case, folder: Path) -> tuple[Rows, pd.DataFrame, np.ndarray]:
    """All matured outcomes with their signals, all days with purchases, and the customer of each row."""
    prepare(case.example, folder)
    sources = yaml.safe_load((folder / "sources.yaml").read_text())
    sources["churn"] |= {"days": case.churn_days}
    (folder / "sources.yaml").write_text(yaml.safe_dump(sources))
    workspace = Workspace(Home(folder))
    first, last = map(month_key, case.months)
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    with dg.DagsterInstance.ephemeral() as instance:
        refresh = build(workspace).resolve_job_def(REFRESH)
        assert refresh.execute_in_process(instance=instance, run_config=QUIET, tags=tags).success
    with workspace.lake() as lake:
        scan, learner = Scan(lake, workspace), Learner(lake, workspace)
        months = [each for each in months_between(*case.months) if learner.scan_day(each) > month_end(case.months[0])]
        for month in months:
            day = learner.scan_day(month)
            for table in FACTORS:
                scan.write(table, DayRange(day, day))
            learner.write_outcomes(month)
        rows = learner.rows(months[-1])
        assert rows is not None
        told = lake.engine.frame(lake.read("churn_outcomes").filter(lambda t: t.censored.isnull()))
        purchases = lake.engine.frame(lake.read("usage_daily").select("customer_id", "day").distinct())
    told = told.sort_values(["scan_day", "customer_id"])
    assert len(told) == len(rows)
    assert (told["churned"].to_numpy(dtype=float) == rows.churned).all()
    return rows, purchases, told["customer_id"].to_numpy()


def _scorecard(training: Rows, horizon: int) -> Callable[[Rows], np.ndarray]:
    from orchestration_project.settings import Settings

    card = learning.fit(training, Settings().learning, horizon)
    return lambda rows: card.log_odds(rows.matrix, rows.names)


def _logistic_regression(training: Rows) -> Callable[[Rows], np.ndarray]:
    """All signals, standardised; unknown ones at the median, with a flag."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler(), LogisticRegression(max_iter=2000)
    )
    kept = learning.informative(training)
    model.fit(training.matrix[:, kept], training.churned)
    return lambda rows: model.decision_function(rows.matrix[:, kept])


def _lightgbm(training: Rows, horizon: int) -> Callable[[Rows], np.ndarray]:
    """The best of the grid on the latest training days, learned from those before, then fitted to all of them."""
    import lightgbm

    days = training.days
    late = days[-min(TEST_DAYS, max(1, len(days) // 3)) :]
    early = [day for day in days if day <= late[0] - horizon] or days[: -len(late)]
    one, other = training.between(0, early[-1]), training.between(late[0], late[-1])

    def options(leaves: int, smallest: int, ridge: float) -> dict[str, Any]:
        return {
            "objective": "binary", "metric": "auc", "learning_rate": RATE, "num_leaves": leaves, "verbose": -1,
            "min_child_samples": smallest, "reg_lambda": ridge, "feature_fraction": 0.7, "seed": 0, "num_threads": 2,
        }  # fmt: skip

    def data(rows: Rows) -> Any:
        return lightgbm.Dataset(rows.matrix, rows.churned, free_raw_data=False)

    tried = []
    for choice in GRID:
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        model = lightgbm.train(options(*choice), data(one), ROUNDS, valid_sets=[data(other)], callbacks=[stop])
        tried.append((model.best_score["valid_0"]["auc"], model.best_iteration, choice))
    _, rounds, choice = max(tried)
    final = lightgbm.train(options(*choice), data(training), max(rounds, 20))
    return lambda rows: np.asarray(final.predict(rows.matrix, raw_score=True))


def _bg_nbd(purchases: pd.DataFrame, ids: np.ndarray, test: Rows, horizon: int) -> np.ndarray:
    """Log-odds of no purchase within the horizon (Fader, Hardie and Lee 2005), per test day from all purchases by then.

    Who is alive with x repeat purchases in T weeks has a rate distributed as gamma(r + x, alpha + T), and none of them
    buys within h weeks with ((alpha + T) / (alpha + T + h)) ** (r + x).
    """
    from lifetimes import BetaGeoFitter

    purchases = purchases.assign(number=[day_number(pd.Timestamp(day).date()) for day in purchases["day"]])
    names, says = ids[-len(test) :], np.empty(len(test))
    for day in test.days:
        seen = purchases[purchases["number"] <= day].groupby("customer_id")["number"].agg(["min", "max", "count"])
        repeats, recency, age = seen["count"] - 1, (seen["max"] - seen["min"]) / WEEK, (day - seen["min"]) / WEEK
        model = BetaGeoFitter(penalizer_coef=PENALTY).fit(repeats, recency, age)
        r, alpha = model.params_["r"], model.params_["alpha"]
        alive = model.conditional_probability_alive(repeats, recency, age)
        silent = ((alpha + age) / (alpha + age + horizon / WEEK)) ** (r + repeats)
        leaves = pd.Series(np.clip(1 - alive * (1 - silent), 1e-9, 1 - 1e-9), index=seen.index)
        on = test.day == day
        chance = leaves.loc[names[on]].to_numpy()
        says[on] = np.log(chance / (1 - chance))
    return says
