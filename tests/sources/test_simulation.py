"""The simulated company: what its data promises to those who test against it."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.sample import write_sample
from orchestration_project.sources.simulation.simulate import simulate
from orchestration_project.sources.simulation.writer import staged

START, UNTIL = date(2025, 1, 1), date(2026, 2, 28)
SMALL = Company(customers=300, start=START, months=3, monthly_churn=0.06)
ARROW = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "boolean": pa.bool_(),
}
RECORDED = {name: "valid_from" if name == "customers" else "recorded_at" for name in SOURCE_TABLES}
OUTCOMES = {"support_tickets": ["resolved_at", "satisfaction"], "invoices": ["paid_at", "status"]}
SEEN = ["usage_events", "support_tickets", "invoices", "engagements"]


def rows(folder: Path, table: str) -> pd.DataFrame:
    files = sorted((folder / "tables" / table).glob("*.parquet"))
    return pa.concat_tables(pq.read_table(file) for file in files).to_pandas()


def truth(folder: Path, name: str = "customers") -> pd.DataFrame:
    return pq.read_table(folder / "truth" / f"{name}.parquet").to_pandas(date_as_object=False)


def simulated(folder: Path, company: Company = SMALL, until: date = date(2025, 4, 10), **options: pa.Table) -> Path:
    simulate(company, until, folder, **options)
    return folder


def end_of(day: date) -> pd.Timestamp:
    return pd.Timestamp(day) + pd.Timedelta(days=1)


def outreach_to(customers: list[str], day: date) -> pa.Table:
    return pa.table({"customer_id": customers, "day": [day] * len(customers)})


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("default") / "company", Company(start=START), UNTIL)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("small") / "company")


@pytest.fixture(scope="module")
def tables(company: Path) -> dict[str, pd.DataFrame]:
    return {name: rows(company, name) for name in SOURCE_TABLES}


@pytest.fixture(scope="module")
def last_weeks(company: Path, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What was seen of each leaver in the weeks before leaving, and of stayers before a day drawn for comparison."""
    fates = truth(company).set_index("customer_id")
    left = fates[fates.leaves_on.between("2025-06-01", pd.Timestamp(UNTIL))][["way", "leaves_on"]]
    stayed = fates[fates.leaves_on.isna() & fates.saved_on.isna()].assign(way="stayed")[["way", "leaves_on"]]
    stayed["leaves_on"] = [pd.Timestamp("2025-06-01") + pd.Timedelta(days=n % 270) for n in range(len(stayed))]
    people = pd.concat([left, stayed])
    first = tables["customers"].groupby("customer_id").signed_up_at.first()
    people = people[people.leaves_on - first.reindex(people.index) > pd.Timedelta(days=180)]

    def before(table: str, moment: str, low: int, high: int) -> pd.DataFrame:
        merged = tables[table].merge(people, left_on="customer_id", right_index=True)
        ahead = (merged.leaves_on - merged[moment]).dt.days
        return merged[(ahead >= low) & (ahead < high)]

    def count(*where: object) -> pd.Series:
        return before(*where).groupby("customer_id").size().reindex(people.index, fill_value=0)

    uses = tables["usage_events"].merge(people, left_on="customer_id", right_index=True)
    overdue = before("invoices", "due_at", 15, 60)
    unpaid = overdue[~(overdue.paid_at < overdue.leaves_on) & (overdue.status != "void")]
    return people.assign(
        used=count("usage_events", "occurred_at", 60, 150) > 60,
        use_ratio=count("usage_events", "occurred_at", 0, 30)
        / 30
        / (count("usage_events", "occurred_at", 60, 150) / 90),
        idle_days=(uses.leaves_on - uses.occurred_at).dt.days.groupby(uses.customer_id).min().reindex(people.index),
        tickets=count("support_tickets", "opened_at", 0, 30),
        satisfaction=before("support_tickets", "opened_at", 0, 40).groupby("customer_id").satisfaction.mean(),
        unpaid=unpaid.groupby("customer_id").size().reindex(people.index, fill_value=0) > 0,
    )


def test_the_same_settings_give_the_same_files(tmp_path: Path, small: Path) -> None:
    one, two = small, simulated(tmp_path / "two")
    files = sorted(path.relative_to(one) for path in one.rglob("*.parquet"))
    assert files == sorted(path.relative_to(two) for path in two.rglob("*.parquet"))
    assert all(pq.read_table(one / file).equals(pq.read_table(two / file)) for file in files)


def test_another_seed_gives_another_company(tmp_path: Path, small: Path) -> None:
    other = simulated(tmp_path / "other", SMALL.model_copy(update={"seed": 8}))
    assert not rows(small, "usage_events").equals(rows(other, "usage_events"))


@pytest.mark.parametrize("later", [date(2025, 4, 11), date(2025, 5, 31)])
def test_a_later_last_day_never_changes_what_was_already_recorded(tmp_path: Path, small: Path, later: date) -> None:
    known = end_of(date(2025, 4, 10))
    everyone = outreach_to([f"C{number:06d}" for number in range(1, 301)], date(2025, 4, 11))
    late = simulated(tmp_path / "late", until=later, outreach=everyone)
    for name in SOURCE_TABLES:
        before, after = rows(small, name), rows(late, name)
        after = after[after[RECORDED[name]] < known].reset_index(drop=True)
        outcomes = OUTCOMES.get(name, [])
        assert len(before) > 10
        pd.testing.assert_frame_equal(before.drop(columns=outcomes), after.drop(columns=outcomes))
        for outcome in [column for column in outcomes if column != "status"]:
            told = before[outcome].notna()
            assert before[outcome][told].equals(after[outcome][told])
        if "status" in outcomes:
            settled = before.status.isin(["paid", "void"])
            assert before.status[settled].equals(after.status[settled])
    resolved, paid = rows(late, "support_tickets").resolved_at, rows(late, "invoices").paid_at
    assert max(resolved.max(), paid.max()) < end_of(later)


def test_tables_have_the_types_and_keep_the_rules_of_the_contract(company: Path, tables: dict) -> None:
    for name, table in SOURCE_TABLES.items():
        schema = pq.read_schema(next((company / "tables" / name).glob("*.parquet")))
        assert {field.name: field.type for field in schema} == {c.name: ARROW[c.type] for c in table.columns}
        assert schema.names == list(table.names)
        for column in table.columns:
            values = tables[name][column.name]
            assert not (column.required and values.isna().any()), column
            assert not column.choices or set(values.dropna()) == set(column.choices), column
            assert column.minimum is None or values.min() >= column.minimum, column
            assert column.maximum is None or values.max() <= column.maximum, column
            assert not column.happened or values.max() < end_of(UNTIL), column


def test_keys_are_unique(tables: dict) -> None:
    for name, table in SOURCE_TABLES.items():
        assert not table.key or not tables[name].duplicated(list(table.key)).any()
    usage = tables["usage_events"]
    assert not usage.assign(day=usage.occurred_at.dt.date).duplicated(["customer_id", "day", "event"]).any()


def test_rows_are_in_order_of_days(tables: dict) -> None:
    for name, table in SOURCE_TABLES.items():
        assert tables[name][table.happened_at].dt.floor("D").is_monotonic_increasing, name


def test_nothing_happens_before_sign_up_or_after_leaving(company: Path, tables: dict) -> None:
    signed = tables["customers"].groupby("customer_id").signed_up_at.first()
    leaves = truth(company).set_index("customer_id").leaves_on
    for name in SEEN:
        moments, customers = tables[name][SOURCE_TABLES[name].happened_at], tables[name].customer_id
        assert (moments.to_numpy() > signed[customers].to_numpy()).all(), name
        assert not (moments.to_numpy() >= leaves[customers].to_numpy()).any(), name
    assert (tables["customers"].valid_from >= tables["customers"].signed_up_at).all()


def test_no_row_was_recorded_before_it_happened_and_few_are_late(tables: dict) -> None:
    for name in SEEN:
        lag = tables[name].recorded_at - tables[name][SOURCE_TABLES[name].happened_at]
        assert lag.min() >= pd.Timedelta(0)
        assert lag.max() <= pd.Timedelta(days=5)
        assert (lag > pd.Timedelta(hours=12)).mean() == pytest.approx(0.01, abs=0.006)


def test_weekends_are_quieter_and_most_so_at_enterprises(tables: dict) -> None:
    segment = tables["customers"].groupby("customer_id").segment.first()
    logins = tables["usage_events"].query("event == 'login'")
    weekend = logins.occurred_at.dt.day_of_week >= 5
    share = weekend.groupby(logins.customer_id.map(segment)).mean()
    assert share["enterprise"] < share["mid_market"] < share["smb"] < 2 / 7


def test_use_dips_at_christmas_and_in_summer(tables: dict) -> None:
    first = tables["customers"].groupby("customer_id").signed_up_at.first()
    usage = tables["usage_events"]
    usage = usage[usage.customer_id.map(first) < "2024-10-01"]
    daily = usage.groupby(usage.occurred_at.dt.floor("D")).agg(
        total=("quantity", "sum"), who=("customer_id", "nunique")
    )
    weekly = usage.groupby(usage.occurred_at.dt.floor("7D")).agg(
        total=("quantity", "sum"), who=("customer_id", "nunique")
    )
    rate = weekly.total / weekly.who
    assert daily.who["2025-12-22":"2025-12-31"].mean() < 0.65 * daily.who["2025-12-08":"2025-12-17"].mean()
    assert rate["2025-07-01":"2025-08-31"].mean() < 0.92 * rate["2025-01-14":"2025-03-01"].mean()


def test_new_customers_take_weeks_to_settle_in(tables: dict) -> None:
    first = tables["customers"].groupby("customer_id").signed_up_at.first()
    usage = tables["usage_events"].query("event == 'login'")
    age = (usage.occurred_at - usage.customer_id.map(first)).dt.days
    new = usage.customer_id.map(first).between(pd.Timestamp("2025-01-02"), pd.Timestamp("2025-09-01"))
    by_week = age[new].floordiv(7).value_counts()
    assert by_week[0] < 0.6 * by_week[5]
    assert by_week[5] == pytest.approx(by_week[8], rel=0.2)


def test_about_two_percent_of_customers_leave_per_month(company: Path) -> None:
    left = truth(company).leaves_on.between(pd.Timestamp(START), pd.Timestamp(UNTIL)).sum()
    active = truth(company, "health").query("day.dt.day == 1").groupby("day").size()
    assert 0.014 < left / active.sum() < 0.025


def test_slow_faders_use_less_and_less(last_weeks: pd.DataFrame) -> None:
    ratio = last_weeks[last_weeks.used].groupby("way").use_ratio.median()
    assert ratio["slow_fade"] < 0.4 < 0.7 < ratio["stayed"]


def test_sudden_stoppers_are_idle_for_weeks_before_they_leave(last_weeks: pd.DataFrame) -> None:
    idle = last_weeks[last_weeks.used].groupby("way").idle_days
    assert idle.quantile(0.1)["sudden_stop"] >= 19
    assert idle.median()["sudden_stop"] <= 41
    assert idle.median()["stayed"] <= 3


def test_the_angry_send_many_tickets_and_rate_them_badly(last_weeks: pd.DataFrame) -> None:
    ways = last_weeks.groupby("way")
    assert ways.tickets.median()["support_anger"] >= 4
    assert ways.tickets.mean()["stayed"] < 1
    assert ways.satisfaction.mean()["support_anger"] < ways.satisfaction.mean()["stayed"] - 1.2


def test_payment_trouble_leaves_invoices_unpaid_for_weeks(last_weeks: pd.DataFrame) -> None:
    unpaid = last_weeks.groupby("way").unpaid.mean()
    assert unpaid["payment_trouble"] > 0.85
    assert unpaid["stayed"] < 0.1


def test_those_who_leave_without_warning_look_like_stayers(last_weeks: pd.DataFrame) -> None:
    used = last_weeks[last_weeks.used].groupby("way").use_ratio.median()
    ways = last_weeks.groupby("way")
    assert used["no_warning"] == pytest.approx(used["stayed"], abs=0.2)
    assert ways.tickets.mean()["no_warning"] < 1.5
    assert ways.unpaid.mean()["no_warning"] < 0.2


def test_two_in_five_leavers_say_so_in_advance(company: Path, tables: dict) -> None:
    told = tables["customers"].dropna(subset="churned_at")
    told = told.loc[told.groupby("customer_id").valid_from.idxmin()]
    told = told[told.churned_at.between("2025-02-15", pd.Timestamp(UNTIL))]
    ahead = told.churned_at - told.valid_from.dt.floor("D")
    leaves = truth(company).set_index("customer_id").leaves_on
    assert (told.churned_at.to_numpy() == leaves[told.customer_id].to_numpy()).all()
    assert set(leaves[leaves.between("2025-02-15", pd.Timestamp(UNTIL))].index) == set(told.customer_id)
    assert (ahead > pd.Timedelta(0)).mean() == pytest.approx(0.4, abs=0.1)
    assert ahead[ahead > pd.Timedelta(0)].between(pd.Timedelta(days=10), pd.Timedelta(days=40)).all()


def test_every_version_names_the_renewal_that_comes_next(tables: dict) -> None:
    versions = tables["customers"].dropna(subset="renews_at")
    ahead = versions.renews_at - versions.valid_from
    assert ahead.between(pd.Timedelta(0), pd.Timedelta(days=365)).all()
    history = versions.groupby("customer_id")
    assert (history.renews_at.nunique() > 1).mean() > 0.5
    assert 0.02 < (history.plan.nunique() > 1).mean() < 0.4


def test_parts_are_missing_at_about_the_rate(tmp_path: Path) -> None:
    whole = Company(customers=2000, start=START, months=1, missing_rate=0.1, monthly_churn=0)
    folder = simulated(tmp_path / "company", whole, date(2025, 3, 5))
    people = rows(folder, "customers").groupby("customer_id").first()
    for column in ["segment", "industry", "employee_count", "plan", "mrr", "renews_at", "owner", "contact_email"]:
        assert people[column].isna().mean() == pytest.approx(0.1, abs=0.025), column
    for table in ["usage_events", "invoices", "engagements"]:
        seen = people.index.isin(rows(folder, table).customer_id)
        assert 1 - seen.mean() == pytest.approx(0.1, abs=0.035), table


def test_nothing_is_missing_at_a_rate_of_zero(tmp_path: Path) -> None:
    folder = simulated(tmp_path / "company", SMALL.model_copy(update={"missing_rate": 0.0}))
    assert rows(folder, "customers").drop(columns="churned_at").notna().all(axis=None)


def test_outreach_lowers_the_risk_by_the_known_effect_for_sixty_days_and_for_nobody_else(tmp_path: Path) -> None:
    day = START + timedelta(days=5)
    within_reach = pd.Timestamp(day), pd.Timestamp(day + timedelta(days=60))
    treated = [f"C{number:06d}" for number in range(1, 15001, 2)]
    counts = []
    for seed in range(3):
        settings = Company(customers=15000, start=START, months=1, seed=seed, monthly_churn=0.08)
        without = simulated(tmp_path / f"without{seed}", settings, day)
        given = simulated(tmp_path / f"with{seed}", settings, day, outreach=outreach_to(treated, day))
        before, after = (truth(folder).set_index("customer_id") for folder in (without, given))
        leaves = before.leaves_on.between(*within_reach, inclusive="right") & before.index.isin(treated)
        kept = leaves & ~after.leaves_on.between(*within_reach, inclusive="right")
        counts.append((leaves.sum(), kept.sum()))
        pd.testing.assert_frame_equal(before[~before.index.isin(treated)], after[~after.index.isin(treated)])
        assert after.saved_on[kept].notna().all()
    would_leave, kept = (sum(column) for column in zip(*counts, strict=True))
    assert would_leave > 1000
    assert kept / would_leave == pytest.approx(0.35, abs=0.04)


def test_outreach_leaves_the_data_of_the_untreated_as_it_was(tmp_path: Path, small: Path) -> None:
    treated = [f"C{number:06d}" for number in range(1, 301, 2)]
    sent = outreach_to(treated, date(2025, 2, 1))
    given = simulated(tmp_path / "with", outreach=sent)
    for name in SOURCE_TABLES:
        one, two = (rows(folder, name) for folder in (small, given))
        one, two = (table[~table.customer_id.isin(treated)].reset_index(drop=True) for table in (one, two))
        pd.testing.assert_frame_equal(one, two)
    assert len(rows(given, "usage_events")) > len(rows(small, "usage_events"))


def test_a_notice_is_withdrawn_when_outreach_wins_the_customer_back(tmp_path: Path, small: Path) -> None:
    certain = SMALL.model_copy(update={"outreach_effect": 1.0})
    before = truth(small)
    day = pd.Timestamp("2025-03-01")
    noticed = before[(before.notice_on < day) & (before.leaves_on > day)].customer_id.tolist()
    given = simulated(tmp_path / "with", certain, outreach=outreach_to(noticed, day.date()))
    versions = rows(given, "customers").set_index("customer_id").loc[noticed]
    withdrawn = versions[versions.valid_from.dt.floor("D") == day]
    assert noticed
    assert set(withdrawn.index) == set(noticed)
    assert withdrawn.churned_at.isna().all()


def test_outreach_to_a_stranger_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="C999999"):
        simulated(tmp_path / "company", outreach=outreach_to(["C000001", "C999999"], START))
    assert list(tmp_path.iterdir()) == []


def test_the_true_leave_probability_agrees_with_who_leaves(company: Path) -> None:
    health = truth(company, "health").merge(truth(company)[["customer_id", "leaves_on"]])
    health["left"] = health.leaves_on <= health.day + pd.Timedelta(days=90)
    assert health.leave_probability.between(0, 1).all()
    assert health.leave_probability.mean() == pytest.approx(health.left.mean(), rel=0.2)
    unplanned = health[health.way == ""]
    upper = unplanned.leave_probability > unplanned.leave_probability.median()
    assert unplanned.left[upper].mean() > 1.5 * unplanned.left[~upper].mean()


def test_the_truth_lies_apart_from_the_tables(company: Path, tables: dict) -> None:
    assert {path.name for path in company.iterdir()} == {"tables", "truth"}
    assert {path.name for path in (company / "tables").iterdir()} == set(SOURCE_TABLES)
    assert {path.name for path in (company / "truth").iterdir()} == {"customers.parquet", "health.parquet"}
    assert len(list((company / "tables" / "usage_events").glob("*.parquet"))) == 14


def test_addresses_can_receive_no_mail_and_some_names_are_not_ascii(tables: dict) -> None:
    assert tables["customers"].contact_email.dropna().str.endswith(".example").all()
    assert not tables["customers"].name.str.isascii().all()


def test_a_simulation_that_fails_leaves_the_old_one_and_no_debris(tmp_path: Path) -> None:
    folder = simulated(tmp_path / "company", until=START)
    content = sorted(folder.rglob("*"))

    def half_finished() -> None:
        with staged(folder) as staging:
            (staging / "tables").mkdir()
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        half_finished()
    assert sorted(folder.rglob("*")) == content
    assert list(tmp_path.iterdir()) == [folder]


def test_a_simulation_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    with staged(tmp_path / "company") as staging:
        (staging / "tables").mkdir()
        assert not (tmp_path / "company").exists()
    assert (tmp_path / "company" / "tables").exists()


def test_a_new_simulation_replaces_the_old_one_whole(tmp_path: Path) -> None:
    simulated(tmp_path / "company", until=date(2025, 2, 1))
    simulated(tmp_path / "company", until=date(2025, 1, 31))
    assert [file.name for file in (tmp_path / "company/tables/usage_events").iterdir()] == ["2025-01.parquet"]


def test_after_a_shift_customers_come_to_leave_in_the_new_ways(tmp_path: Path) -> None:
    shift = {"on": START + timedelta(60), "ways": (0, 0, 0.5, 0.5, 0)}
    company = Company.model_validate(SMALL.model_dump() | {"ways": (0.5, 0.5, 0, 0, 0), "shift": shift})
    fates = truth(simulated(tmp_path / "company", company)).dropna(subset="trouble_began_on")
    before = fates.trouble_began_on < pd.Timestamp(START + timedelta(60))
    assert set(fates[before].way) == {"slow_fade", "sudden_stop"}
    assert set(fates[~before].way) == {"support_anger", "payment_trouble"}


@pytest.mark.parametrize(
    "wrong", [{"customers": 0}, {"months": 0}, {"missing_rate": 1.1}, {"colour": "red"}, {"ways": (1, 1, 0, 0, 0)}]
)
def test_settings_out_of_range_or_unknown_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Company(**({"start": START} | wrong))


def test_the_committed_sample_is_what_the_simulation_writes(tmp_path: Path) -> None:
    committed = Path(__file__).parents[2] / "data" / "sample"
    write_sample(tmp_path)
    assert {file.name for file in committed.iterdir()} == {f"{name}.csv" for name in SOURCE_TABLES}
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (committed / file.name).read_bytes(), file.name
    assert sum(file.stat().st_size for file in committed.iterdir()) < 1_500_000
