"""`handoffs`: what the command prints of the demo, as JSON Lines that fit the contract."""

import json
from datetime import timedelta

import pytest

from orchestration_project.contracts.handoff import Envelope, parsed


def lines(outcome) -> list[Envelope]:
    assert outcome.code == 0, outcome
    return [parsed(line) for line in outcome.out.splitlines()]


@pytest.fixture(scope="module")
def everybody(demo) -> list[Envelope]:
    return lines(demo.shell("handoffs", "--json"))


def test_a_customers_chain_leads_from_one_step_to_the_next(demo):
    worst = demo.shell("top", "--limit", 1, "--json").json["customers"][0]
    told = lines(demo.shell("handoffs", "--customer", worst["customer_id"]))
    assert [each.step for each in told[1:]] == [each.next_step for each in told[:-1]]
    assert [each.step for each in told[:3]] == ["customer_data_collector", "usage_pattern_analyser", "risk_assessor"]
    assert {(each.customer_id, each.as_of) for each in told} == {(worst["customer_id"], demo.yesterday)}
    assert told[2].data.score == worst["score"]
    assert lines(demo.shell("handoffs", "--customer", worst["customer_id"])) == told


def test_all_customers_have_a_chain_and_it_is_that_of_the_single_customer(demo, everybody):
    ids = list(dict.fromkeys(each.customer_id for each in everybody))
    assert ids == sorted(ids)
    assert len(ids) == len(demo.shell("top", "--limit", 1000, "--json").json["customers"])
    one = lines(demo.shell("handoffs", "--customer", ids[7], "--date", demo.yesterday))
    assert one == [each for each in everybody if each.customer_id == ids[7]]


def test_the_run_is_the_one_that_wrote_the_day(demo, copy, everybody):
    runs = {each.run_id for each in everybody}
    assert len(runs) == 1
    assert runs != {None}
    (scores,) = copy.home.glob(f"lake/risk_scores/scan_day={demo.yesterday}/*")
    scores.touch()
    told = lines(copy("handoffs", "--json"))
    assert {each.run_id for each in told if each.step == "risk_assessor"} == {None}
    (copy.home / "dagster" / "dagster.yaml").unlink()
    assert {each.run_id for each in lines(copy("handoffs", "--json"))} == {None}


def test_without_a_customer_people_get_a_summary(demo, everybody):
    printed = demo.shell("handoffs").out
    assert f"Handoffs of {demo.yesterday}" in printed
    monitored = sum(each.next_step == "monitor" for each in everybody)
    assert any("monitor" in line and f" {monitored} " in line for line in printed.splitlines())


def test_bad_rows_of_a_source_are_told_of_the_customer_whose_they_are(demo, copy):
    customer = demo.shell("top", "--limit", 1, "--json").json["customers"][0]["customer_id"]
    bad = f"invoice_id,customer_id,due_at,amount\nI1,{customer},2026-01-01,-5\nI2,,2026-01-01,1\n"
    (copy.home / "invoices.csv").write_text(bad)
    tables = {name: {"connector": "simulated"} for name in ("customers", "usage_events", "support_tickets")}
    copy.sources(tables=tables | {"invoices": {"connector": "files", "path": "invoices.csv"}})
    copy("scan", "--date", demo.yesterday)
    told = lines(copy("handoffs", "--customer", customer, "--date", demo.yesterday))
    assert [(each.status, each.reasons) for each in told[:1]] == [("missing", ("amount is below 0",))]
    assert {
        each.reasons for each in lines(copy("handoffs", "--json", "--date", demo.yesterday)) if not each.customer_id
    } == {("customer_id is missing",)}


def test_an_unknown_customer_day_or_workflow_is_one_sentence(demo):
    assert demo.shell("handoffs", "--customer", "nobody").sentence.startswith("Customer 'nobody' has no handoff on ")
    never = demo.yesterday - timedelta(days=50)
    assert "The lake has no customer_profiles" in demo.shell("handoffs", "--customer", "C1", "--date", never).sentence
    later = demo.yesterday + timedelta(days=9)
    assert "the latest day that can be scanned" in demo.shell("handoffs", "--date", later, "--json").sentence
    assert "There is no workflow 'other'" in demo.shell("handoffs", "--workflow", "other").sentence


def test_every_line_is_one_json_object(demo, everybody):
    out = demo.shell("handoffs", "--json").out
    assert [json.loads(line)["idempotency_key"] for line in out.splitlines()] == [
        each.idempotency_key for each in everybody
    ]
