"""Point in time: a scan of day D knows what had happened and was recorded by D, however and whenever it is run.

Whole scans over generated histories. Days and ranges come from a small pool unless `HYPOTHESIS_PROFILE=thorough`: to
compile a scan of another day takes longer than all else.
"""

import os
from datetime import date, datetime, timedelta
from itertools import chain, cycle

import hypothesis.strategies as st
from hypothesis import given, settings

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import ChurnRules, RiskRules, SeverityRules

THOROUGH = os.getenv("HYPOTHESIS_PROFILE") == "thorough"
FIRST, LAST = date(2023, 12, 31), date(2024, 3, 1)
LEAP_DAY = date(2024, 2, 29)
SCAN_DAYS = st.dates(date(2023, 6, 1), LAST) if THOROUGH else st.just(LEAP_DAY)
RANGES = (
    st.tuples(SCAN_DAYS, st.integers(0, 12)).map(lambda drawn: DayRange(drawn[0], drawn[0] + timedelta(drawn[1])))
    if THOROUGH
    else st.just(DayRange(FIRST, LAST))
)
FEW = settings(max_examples=settings().max_examples // 3 + 1)
RULES = RiskRules(severities=SeverityRules(season_min_customers=2), kinds_tracked=2)
"""Rules under which even a handful of customers tells the season, and some kinds of use are not tracked."""

CONTRACT = ChurnRules()
CUSTOMERS = st.sampled_from(["a", "b", "c", "d"])
STEP = 2.0**-20
QUANTITIES = st.sampled_from([0.0, 0.25, 1.0, 3.0, 1000.125]) | st.integers(0, 10**10).map(lambda n: n * STEP)
DELAYS = st.sampled_from([0, 0, 0, 1, 2, 40, 200])
HOURS = st.sampled_from([0, 1, 12, 23.99])


def offsets(low: int = -420, high: int = 60) -> st.SearchStrategy[int]:
    """Days from the last scan day, before and after."""
    return st.integers(low, high)


def moment(offset: int, hour: float = 0) -> datetime:
    return datetime.combine(LAST, datetime.min.time()) + timedelta(days=offset, hours=hour)


@st.composite
def dated(draw: st.DrawFn, kind: str, names: tuple[str, ...]) -> list[dict]:
    """A customer's habit: the same act every few days for a while, each recorded with the same delay."""
    name, start, length = draw(st.sampled_from(names)), draw(offsets()), draw(st.integers(1, 150))
    row = {"customer_id": draw(CUSTOMERS), kind: name}
    delay = draw(DELAYS)
    days = [moment(offset) for offset in range(start, min(start + length, 60), draw(st.integers(1, 20)))]
    if kind == "kind":
        return [row | {"occurred_at": day, "known_on": day.date() + timedelta(delay)} for day in days]
    row |= {"quantity": draw(QUANTITIES), "users": draw(st.integers(0, 3))}
    return [row | {"day": day.date(), "known_on": day.date() + timedelta(delay)} for day in days]


@st.composite
def tickets(draw: st.DrawFn) -> dict:
    opened = moment(draw(offsets()), draw(HOURS))
    resolved = draw(st.none() | st.floats(0, 100).map(lambda days: opened + timedelta(days)))
    return {
        "customer_id": draw(CUSTOMERS),
        "opened_at": opened,
        "resolved_at": resolved,
        "priority": draw(st.sampled_from([None, "low", "urgent"])),
        "satisfaction": draw(st.none() | st.floats(1, 5)) if resolved else None,
        "known_on": opened.date() + timedelta(draw(DELAYS)),
    }


@st.composite
def invoices(draw: st.DrawFn) -> dict:
    due = moment(draw(offsets()), draw(HOURS))
    status = draw(st.sampled_from(["open", "paid", "paid", "failed", "void", None]))
    paid = draw(st.none() | st.floats(-20, 90).map(lambda days: due + timedelta(days))) if status == "paid" else None
    return {
        "customer_id": draw(CUSTOMERS),
        "due_at": due,
        "paid_at": paid,
        "amount": draw(st.none() | st.floats(0, 1e5)),
        "status": status,
        "known_on": due.date() - timedelta(30) + timedelta(draw(DELAYS)),
    }


@st.composite
def versions(draw: st.DrawFn, customer: str) -> list[dict]:
    """A customer's versions: the first known since sign-up, the others from some later day on."""
    signed_up = moment(draw(offsets(-800, 0)))
    times = sorted(draw(st.sets(offsets(-400, 60), max_size=3)))
    known = [draw(st.sampled_from([None, signed_up])), *(moment(each, 5) for each in times if moment(each) > signed_up)]
    return [
        {
            "customer_id": customer,
            "signed_up_at": signed_up,
            "valid_from": valid_from,
            "mrr": draw(st.sampled_from([None, 10.0, 99.9])),
            "renews_at": draw(st.none() | offsets(-100, 300).map(moment)),
            "churned_at": draw(st.none() | st.none() | offsets(-100, 100).map(moment)),
        }
        for valid_from in known
    ]


def rows_of(many: st.SearchStrategy, at_most: int) -> st.SearchStrategy[list]:
    return st.lists(many, max_size=at_most)


def heartbeat() -> dict[str, list[dict]]:
    """What keeps every source alive, so that not all is stale; some of it is recorded late."""
    days = [moment(offset) for offset in range(-425, 60)]
    uses = [("login", day, 0) for day in days]
    uses += [("report", day, late) for day, late in zip(days[::5], cycle((0, 1, 35, 70)), strict=False)]

    def mine(when: datetime, late: int, **row) -> dict:
        return {"customer_id": "a", "known_on": (when + timedelta(late)).date(), **row}

    lately = list(zip(days, cycle((0, 3, 40)), strict=False))
    return {
        "usage_events": [mine(day, late, event=event, day=day.date()) for event, day, late in uses],
        "support_tickets": [
            mine(day, late, opened_at=day, resolved_at=day + timedelta(3), satisfaction=1 + n % 7 / 3)
            for n, (day, late) in enumerate(lately[::11])
        ],
        "invoices": [mine(day, late, due_at=day, paid_at=day + timedelta(20)) for day, late in lately[::14]],
        "engagements": [mine(day, late, occurred_at=day) for day, late in lately[::7]],
    }


@st.composite
def rows(draw: st.DrawFn) -> dict[str, list[dict]]:
    """Facts of all sources, in any state."""
    habits = draw(rows_of(dated("event", ("login", "report", "export")), 8))
    contacts = draw(rows_of(dated("kind", ("meeting", "cancellation_notice")), 4))
    return {
        "usage_events": list(chain.from_iterable(habits)),
        "support_tickets": draw(rows_of(tickets(), 8)),
        "invoices": draw(rows_of(invoices(), 8)),
        "engagements": list(chain.from_iterable(contacts)),
    }


@st.composite
def histories(draw: st.DrawFn):
    """A company of up to four customers, of whom one may be the steady one that keeps all sources alive."""
    told = draw(rows())
    if draw(st.integers(0, 9)) < 9:
        told = {name: told[name] + more for name, more in heartbeat().items()}
    customers = [draw(versions(name)) for name in "abcd"[: draw(st.integers(1, 4))]]
    return {"customers": list(chain.from_iterable(customers)), **told}


def history(company, told: dict[str, list[dict]]):
    """The history with ids and, as ingestion leaves it, one row of usage per customer, day, kind and day known."""
    rolled = {(row["customer_id"], row["day"], row["event"], row["known_on"]): row for row in told["usage_events"]}
    numbered = {
        name: [row | {key: str(n)} for n, row in enumerate(told[name])]
        for name, key in (("support_tickets", "ticket_id"), ("invoices", "invoice_id"))
    }
    return company.history(**{**told, "usage_events": list(rolled.values()), **numbered})


def known_by(told, day: date):
    """The history without what became known after `day`."""
    return told.mapped(lambda _, rows: [row for row in rows if row["known_on"] is None or row["known_on"] <= day])


def not_yet_happened(told, day: date):
    """The history known by `day`, without what its rows were given later: how it went on, and how it ended."""
    after = moment((day - LAST).days + 1)
    known = {"resolved_at": ("satisfaction",), "paid_at": ("status",), "churned_at": ()}

    def forget(row: dict) -> dict:
        for when, told_with in known.items():
            if row.get(when) is not None and row[when] >= after and row.get("valid_from") is None:
                row = row | {when: None} | {name: "open" if name == "status" else None for name in told_with}
        return row

    return known_by(told, day).mapped(lambda _, rows: [forget(row) for row in rows])


def as_is(_: str, rows: list[dict]) -> list[dict]:
    return rows


def scanned(company, told, days: DayRange, churn: ChurnRules = CONTRACT) -> dict[str, list[str]]:
    """The scans of `days`, written out so that each bit counts."""
    return {name: [repr(row) for row in rows] for name, rows in company.scan(told, days, RULES, churn).items()}


def sample(days: DayRange) -> list[date]:
    """The days to compare one by one: all of them, or those that are compiled anyway."""
    return days.dates if THOROUGH else [FIRST, LEAP_DAY]


def only(found: dict[str, list[str]], day: date) -> dict[str, list[str]]:
    return {name: [row for row in rows if f"'scan_day': {day!r}" in row] for name, rows in found.items()}


@given(told=histories(), day=SCAN_DAYS)
def test_cutting_all_rows_known_after_the_cutoff_changes_nothing(company, told, day) -> None:
    whole = history(company, told)
    assert scanned(company, known_by(whole, day), DayRange(day, day)) == scanned(company, whole, DayRange(day, day))


@given(told=histories(), late=rows(), day=SCAN_DAYS)
def test_rows_recorded_later_change_nothing(company, told, late, day) -> None:
    before = history(company, told)
    later = history(company, {"customers": [], **late}).mapped(
        lambda _, rows: [row | {"known_on": max(row["known_on"], day + timedelta(1))} for row in rows]
    )
    after = history(company, {name: [*rows, *getattr(later, name)] for name, rows in before.mapped(as_is).items()})
    assert scanned(company, after, DayRange(day, day)) == scanned(company, before, DayRange(day, day))


@given(told=histories(), day=SCAN_DAYS)
def test_what_rows_say_of_days_after_the_scan_changes_nothing(company, told, day) -> None:
    whole = history(company, told)
    expected = scanned(company, not_yet_happened(whole, day), DayRange(day, day))
    assert scanned(company, whole, DayRange(day, day)) == expected


@FEW
@given(told=histories(), days=RANGES)
def test_one_run_over_a_range_equals_one_run_per_day(company, told, days) -> None:
    whole = history(company, told)
    together = scanned(company, whole, days)
    for day in sample(days):
        assert only(together, day) == scanned(company, whole, DayRange(day, day))


@FEW
@given(told=histories(), day=SCAN_DAYS)
def test_point_in_time_holds_where_churn_is_inactivity(company, told, day) -> None:
    churn = ChurnRules(kind="inactivity", active_window_days=60)
    whole, days = history(company, told), DayRange(day, day)
    assert scanned(company, known_by(whole, day), days, churn) == scanned(company, whole, days, churn)
