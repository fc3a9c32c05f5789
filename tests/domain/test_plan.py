"""The action plan: who gets what, and that no combination of facts lets a forbidden action through."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration_project.domain.control import in_control
from orchestration_project.domain.plan import (
    ALERT_PLAY,
    STAGES,
    Bounds,
    PlanRules,
    PlayRule,
    Records,
    action_plan,
    funnel,
)

DAY = date(2026, 11, 22)
SINCE = DAY - timedelta(10)
PLAYS = (
    PlayRule("check_in", "usage_decline", {"check_in": 1.0}),
    PlayRule("help", "support_tickets", {"help_short": 0.3, "help_long": 0.7}),
    PlayRule("visit", "usage_decline", {"visit": 1.0}, ("enterprise",)),
)
RULES = PlanRules(
    plays=PLAYS, outreach=Bounds("auto", cap_actions=1, cap_days=14), alert=Bounds("auto"), control_share=0.0,
    control_salt="salt",
)  # fmt: skip
CUSTOMER: dict[str, Any] = {
    "customer_id": "C1", "score": 5.0, "probability": 0.4, "next_action": "outreach", "state": "medium",
    "contributions": [("usage_decline", 3.0), ("support_tickets", 1.0)], "segment": "smb", "mrr": 100.0,
    "owner": "Bo", "contact_email": "a@example.com", "opted_out": False, "leaves_on": None, "since": SINCE,
}  # fmt: skip
TEXT, REAL, DATE = pa.string(), pa.float64(), pa.date32()
KEYS = {"customer_id": TEXT, "scan_day": DATE}
SCORES = KEYS | {"score": REAL, "probability": REAL, "next_action": TEXT, "contributions": pa.map_(TEXT, REAL)}
PROFILES = KEYS | {"segment": TEXT, "mrr": REAL, "owner": TEXT, "contact_email": TEXT, "opted_out": pa.bool_(),
                   "leaves_on": DATE}  # fmt: skip
EPISODES = KEYS | {"state": TEXT, "since": DATE}
SUPPRESSIONS = {"customer_id": TEXT, "from_day": DATE, "to_day": DATE}
ACTS = {"customer_id": TEXT, "action": TEXT, "play": TEXT, "cause": TEXT, "day": DATE, "reaches": pa.bool_(),
        "sent_on": DATE}  # fmt: skip
STAYS = {"customer_id": TEXT, "state": TEXT, "since": DATE, "until": DATE}


@pytest.fixture(scope="module")
def plan(engine):
    """Rows of a plan by customer."""

    def of(*customers, rules=RULES, suppressions=(), acts=(), stays=(), off=frozenset(), told=lambda table: table):
        rows = [CUSTOMER | {"scan_day": DAY} | each for each in customers]

        def table(schema, rows):
            names = [{name: row.get(name, name == "reaches" or None) for name in schema} for row in rows]
            return engine.arrow(pa.Table.from_pylist(names, pa.schema(list(schema.items()))))

        with engine.scope():
            records = Records(table(SUPPRESSIONS, suppressions), table(ACTS, acts), table(STAYS, stays), off)
            scored = [row for row in rows if row["score"] is not None]
            planned = action_plan(table(SCORES, rows), table(PROFILES, rows), table(EPISODES, scored), records, rules)
            return engine.rows(told(planned))

    return of


@pytest.fixture(scope="module")
def one(plan):
    """The plan for one customer."""

    def of(**told):
        others = {name: told.pop(name) for name in ("rules", "suppressions", "acts", "stays", "off") if name in told}
        (row,) = plan(told, **others)
        return row

    return of


def test_a_customer_at_medium_risk_is_written_to_about_what_raised_the_score_most(one) -> None:
    told = one()
    assert (told["action"], told["play"], told["cause"]) == ("outreach", "check_in", "usage_decline")
    assert (told["variant"], told["variant_propensity"], told["propensity"]) == ("check_in", 1.0, 1.0)
    assert (told["stopped_at"], told["autonomy"], told["rank"]) == (None, "auto", 1)
    assert told["expected_loss"] == 40


def test_a_customer_at_high_risk_is_an_alert_with_its_cause(one) -> None:
    told = one(score=8.5, state="high", next_action="alert",
               contributions=[("usage_decline", 3.0), ("usage_stopped", 3.5)])  # fmt: skip
    assert (told["action"], told["play"], told["cause"]) == ("alert", ALERT_PLAY, "usage_stopped")
    assert told["variant"] is None
    assert (told["stopped_at"], told["autonomy"]) == (None, "auto")


def test_a_play_is_for_its_segments_only_and_the_first_of_equals_is_taken(one) -> None:
    few = replace(RULES, plays=(PLAYS[2], PLAYS[0]))
    assert one(segment="enterprise", rules=few)["play"] == "visit"
    assert one(segment="smb", rules=few)["play"] == "check_in"
    assert one(segment=None, rules=few)["play"] == "check_in"


def test_who_stays_in_a_band_has_its_action_though_the_score_is_on_the_edge(one) -> None:
    assert one(score=3.8, next_action="monitor")["action"] == "outreach"


STOPS: dict[str, dict[str, Any]] = {
    "low_risk": {"score": 2.0, "state": "low", "next_action": "monitor"},
    "no_score": {"score": None, "next_action": "data_quality_review"},
    "low_confidence": {"next_action": "human_review"},
    "no_play": {"rules": replace(RULES, plays=(PLAYS[2],))},
    "switched_off": {"off": frozenset({"check_in"})},
    "control_group": {"rules": replace(RULES, control_share=0.999999)},
    "leaving_announced": {"leaves_on": DAY + timedelta(30)},
    "no_address": {"contact_email": " "},
    "opted_out": {"opted_out": True},
    "suppressed": {"suppressions": [{"customer_id": "C1", "from_day": DAY, "to_day": None}]},
    "over_cap": {"acts": [{"customer_id": "C1", "action": "outreach", "play": "help", "cause": "support_tickets",
                           "day": DAY - timedelta(30), "sent_on": DAY - timedelta(12)}]},
    "already_acted": {"acts": [{"customer_id": "C1", "action": "outreach", "play": "check_in",
                                "cause": "usage_decline", "day": SINCE, "reaches": False}],
                      "rules": replace(RULES, outreach=Bounds("auto"))},
    "over_capacity": {"rules": replace(RULES, outreach=Bounds("auto", capacity=0))},
}  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_stops_whom_it_is_for_and_says_so(one, stage) -> None:
    told = one(**STOPS[stage])
    assert (told["stopped_at"], told["autonomy"]) == (stage, None)


PASSES: dict[str, dict[str, Any]] = {
    "a suppression ends on its last day": {
        "suppressions": [{"customer_id": "C1", "from_day": SINCE, "to_day": DAY}]
    },
    "a suppression of tomorrow": {
        "suppressions": [{"customer_id": "C1", "from_day": DAY + timedelta(1), "to_day": None}]
    },
    "somebody else's suppression": {"suppressions": [{"customer_id": "C2", "from_day": SINCE, "to_day": None}]},
    "the cap's days are over": {"acts": [{"customer_id": "C1", "action": "outreach", "play": "help",
                                          "cause": "support_tickets", "day": DAY - timedelta(14),
                                          "sent_on": DAY - timedelta(13)}]},
    "an act of the same day, when a scan runs again": {
        "acts": [{"customer_id": "C1", "action": "outreach", "play": "check_in", "cause": "usage_decline", "day": DAY}]
    },
    "what was rejected does not count for the cap": {
        "acts": [{"customer_id": "C1", "action": "outreach", "play": "help", "cause": "support_tickets",
                  "day": DAY - timedelta(1), "reaches": False}]
    },
    "an alert is no message": {"acts": [{"customer_id": "C1", "action": "alert", "play": "account_alert",
                                         "cause": "usage_decline", "day": DAY - timedelta(1)}]},
    "the same act in an earlier stay": {
        "acts": [{"customer_id": "C1", "action": "outreach", "play": "check_in", "cause": "usage_decline",
                  "day": SINCE - timedelta(1)}],
        "rules": replace(RULES, outreach=Bounds("auto")),
    },
}  # fmt: skip


@pytest.mark.parametrize("case", PASSES)
def test_at_its_boundary_a_stage_lets_through(one, case) -> None:
    assert one(**PASSES[case])["stopped_at"] is None


def test_a_message_that_waits_to_be_decided_counts_for_the_cap_however_old_its_scan_is(one) -> None:
    act = {"customer_id": "C1", "action": "outreach", "play": "help", "cause": "support_tickets",
           "day": DAY - timedelta(60)}  # fmt: skip
    assert one(acts=[act | {"sent_on": None}])["stopped_at"] == "over_cap"


def test_a_stay_that_is_longer_than_the_lookback_remembers_what_was_done_in_it(one) -> None:
    act = {"customer_id": "C1", "action": "outreach", "play": "check_in", "cause": "usage_decline",
           "day": SINCE - timedelta(60)}  # fmt: skip
    rules = replace(RULES, outreach=Bounds("auto"))
    assert one(acts=[act], rules=rules)["stopped_at"] is None
    stay = {"customer_id": "C1", "state": "medium", "since": SINCE - timedelta(90), "until": DAY}
    assert one(acts=[act], stays=[stay], rules=rules)["stopped_at"] == "already_acted"
    assert one(acts=[act], stays=[stay | {"state": "high"}], rules=rules)["stopped_at"] is None
    assert one(acts=[act], stays=[stay | {"until": DAY - timedelta(1)}], rules=rules)["stopped_at"] is None


@pytest.mark.parametrize(("autonomy", "unknown"), [("auto", "approve"), ("approve", "approve"), ("draft", "draft"),
                                                   ("shadow", "shadow")])  # fmt: skip
def test_where_consent_is_not_known_a_person_decides(one, autonomy, unknown) -> None:
    rules = replace(RULES, outreach=Bounds(autonomy))
    assert one(opted_out=None, rules=rules)["autonomy"] == unknown
    assert one(opted_out=False, rules=rules)["autonomy"] == autonomy


def test_alerts_go_to_our_own_people_whatever_the_customer_wants_to_receive(one) -> None:
    told = one(score=9.0, state="high", next_action="alert", opted_out=True, contact_email=None, leaves_on=DAY)
    assert (told["action"], told["stopped_at"]) == ("alert", None)


def test_of_what_an_owner_can_do_the_most_valuable_comes_first(plan) -> None:
    rules = replace(RULES, outreach=Bounds("auto", capacity=2))
    customers = [{"customer_id": f"C{n}", "mrr": mrr, "owner": owner}
                 for n, (mrr, owner) in enumerate([(50.0, "Bo"), (500.0, "Bo"), (70.0, "Bo"), (None, "Bo"),
                                                   (1.0, "Ada"), (2.0, None), (9.0, None)])]  # fmt: skip
    told = {row["customer_id"]: (row["rank"], row["stopped_at"]) for row in plan(*customers, rules=rules)}
    assert told == {
        "C1": (1, None), "C2": (2, None), "C0": (3, "over_capacity"), "C3": (4, "over_capacity"),
        "C4": (1, None), "C6": (1, None), "C5": (2, None),
    }  # fmt: skip


def test_who_is_stopped_takes_no_place_of_the_capacity(plan) -> None:
    rules = replace(RULES, outreach=Bounds("auto", capacity=1))
    rich, poor = {"customer_id": "C1", "mrr": 900.0, "opted_out": True}, {"customer_id": "C2", "mrr": 1.0}
    told = {row["customer_id"]: row["stopped_at"] for row in plan(rich, poor, rules=rules)}
    assert told == {"C1": "opted_out", "C2": None}


def test_variants_are_drawn_with_the_probability_that_is_logged(plan) -> None:
    customers = [{"customer_id": f"C{n}", "contributions": [("support_tickets", 2.0)]} for n in range(600)]
    rows = plan(*customers)
    shares = {"help_short": 0.3, "help_long": 0.7}
    assert all(row["variant_propensity"] == shares[row["variant"]] for row in rows)
    assert 130 < sum(row["variant"] == "help_short" for row in rows) < 230
    assert rows == plan(*customers)


def test_the_control_group_is_the_one_that_is_drawn_for_ever(plan) -> None:
    rules = replace(RULES, control_share=0.3)
    rows = plan(*({"customer_id": f"C{n}"} for n in range(200)), rules=rules)
    assert all(row["control"] == in_control(row["customer_id"], "salt", 0.3) for row in rows)
    assert {row["stopped_at"] for row in rows if row["control"]} == {"control_group"}
    assert {row["propensity"] for row in rows} == {0.7}
    assert all(row["assigned"] for row in rows)


def test_who_is_held_back_by_the_control_group_holds_a_place_of_the_capacity(plan) -> None:
    rules = replace(RULES, control_share=0.3, outreach=Bounds("auto", capacity=50))
    rows = plan(*({"customer_id": f"C{n}", "mrr": float(n)} for n in range(100)), rules=rules)
    drawn = [row for row in rows if row["assigned"]]
    assert {row["customer_id"] for row in drawn} == {f"C{n}" for n in range(50, 100)}
    assert [row["customer_id"] for row in drawn if row["stopped_at"]] == [
        row["customer_id"] for row in drawn if row["control"]
    ]


ANY = st.fixed_dictionaries({
    "score": st.sampled_from([None, 2.0, 3.8, 5.0, 7.8, 9.0]), "state": st.sampled_from(["low", "medium", "high"]),
    "next_action": st.sampled_from(["monitor", "outreach", "alert", "human_review"]),
    "contributions": st.sampled_from([[], [("support_tickets", 1.0)], [("usage_decline", 2.0)], [("context", 5.0)]]),
    "segment": st.sampled_from([None, "smb", "enterprise"]), "mrr": st.sampled_from([None, 0.0, 10.0, 99.0]),
    "owner": st.sampled_from([None, "Bo", "Ada"]), "contact_email": st.sampled_from([None, "", "a@example.com"]),
    "opted_out": st.sampled_from([None, False, True]), "leaves_on": st.sampled_from([None, DAY + timedelta(3)]),
    "since": st.sampled_from([DAY, SINCE, DAY - timedelta(40)]), "probability": st.sampled_from([None, 0.1, 0.9]),
})  # fmt: skip
DAYS = st.integers(-60, 3).map(lambda n: DAY + timedelta(n))
ACT = st.fixed_dictionaries({"action": st.sampled_from(["outreach", "alert"]),
                             "play": st.sampled_from(["check_in", "help", "visit", ALERT_PLAY]),
                             "cause": st.sampled_from(["usage_decline", "support_tickets"]), "day": DAYS,
                             "sent_on": st.none() | DAYS})  # fmt: skip
HELD = st.fixed_dictionaries({"from_day": DAYS, "to_day": st.none() | DAYS})


@given(
    st.lists(st.tuples(ANY, st.lists(ACT, max_size=3), st.lists(HELD, max_size=2)), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.4]), st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, 1, 2]),
    st.sets(st.sampled_from(["check_in", "help", ALERT_PLAY])),
)  # fmt: skip
def test_no_combination_lets_a_forbidden_action_through_and_the_funnel_adds_up(
    plan, people, share, capacity, cap, off
) -> None:
    rules = replace(RULES, control_share=share, outreach=Bounds("auto", cap, 14, capacity))
    customers = [each | {"customer_id": f"C{n}"} for n, (each, _, _) in enumerate(people)]
    acts = [act | {"customer_id": f"C{n}"} for n, (_, acts, _) in enumerate(people) for act in acts]
    held = [each | {"customer_id": f"C{n}"} for n, (_, _, helds) in enumerate(people) for each in helds]
    others: dict[str, Any] = {"rules": rules, "acts": acts, "suppressions": held, "off": frozenset(off)}
    rows = plan(*customers, **others)
    counts = plan(*customers, **others, told=funnel)
    assert sum(each["customers"] for each in counts) == len(customers) == len(rows)
    facts = {each["customer_id"]: each for each in customers}
    taken: dict[str | None, int] = {}
    for row in rows:
        if row["stopped_at"] is not None:
            assert row["autonomy"] is None
            assert not row["assigned"] or row["control"]
            continue
        assert row["assigned"]
        who = facts[row["customer_id"]]
        past = [act for act in acts if act["customer_id"] == row["customer_id"] and act["day"] < DAY]
        assert not in_control(row["customer_id"], "salt", share)
        assert who["score"] is not None
        assert who["next_action"] != "human_review"
        assert row["play"] not in off
        assert {"outreach": "medium", "alert": "high"}[row["action"]] == who["state"]
        assert not any(act["action"] == row["action"] and act["play"] == row["play"] and act["cause"] == row["cause"]
                       and act["day"] >= who["since"] for act in past)  # fmt: skip
        if row["action"] == "outreach":
            assert who["opted_out"] is not True
            assert row["autonomy"] == ("approve" if who["opted_out"] is None else "auto")
            assert who["contact_email"]
            assert who["leaves_on"] is None
            assert not any(each["customer_id"] == row["customer_id"] and each["from_day"] <= DAY
                           and (each["to_day"] is None or each["to_day"] > DAY) for each in held)  # fmt: skip
            recent = [
                act
                for act in past
                if act["action"] == "outreach" and (act["sent_on"] is None or act["sent_on"] > DAY + timedelta(1 - 14))
            ]
            assert cap is None or len(recent) < cap
            taken[who["owner"]] = taken.get(who["owner"], 0) + 1
    assert capacity is None or all(count <= capacity for count in taken.values())
