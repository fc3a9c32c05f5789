"""`plays`: what is done for customers, switched off and on with a reason."""

import pytest

from orchestration_project.operations.models import AuditEntry, Switch


@pytest.fixture(autouse=True)
def _ann(monkeypatch):
    monkeypatch.setenv("ORCHESTRATE_USER", "ann")


def states(shell) -> dict[str, str]:
    return {each["play"]: each["state"] for each in shell("plays", "list", "--json").json}


def test_every_play_is_on_at_first_and_no_store_is_made_to_say_so(small):
    assert states(small) == dict.fromkeys(
        ("check_in", "support_follow_up", "billing_help", "re_engage", "renewal_review", "account_alert", "*"), "on"
    )
    assert not (small.home / "operations.db").exists()


def test_a_play_is_switched_off_and_on_by_somebody_for_a_reason(asked):
    assert asked.shell("plays", "off", "check_in", "--reason", "a bad text").code == 0
    (told,) = (each for each in asked.shell("plays", "list", "--json").json if each["state"] == "off")
    assert (told["play"], told["by"], told["reason"]) == ("check_in", "ann", "a bad text")
    assert "a bad text" in asked.shell("plays", "list").out
    asked.shell("plays", "on", "check_in", "--reason", "mended", "--as-user", "bo")
    assert states(asked.shell)["check_in"] == "on"
    assert [(row.by, row.state) for row in asked.rows(Switch)] == [("ann", "off"), ("bo", "on")]
    assert [(each.who, each.what, each.why) for each in asked.rows(AuditEntry)] == [
        ("ann", "switched off", "a bad text"), ("bo", "switched on", "mended"),
    ]  # fmt: skip


def test_all_plays_are_switched_off_at_once(asked):
    asked.shell("plays", "off", "*", "--reason", "an incident")
    assert states(asked.shell)["*"] == "off"


def test_a_play_that_is_none_or_no_reason_is_refused(asked):
    assert asked.shell("plays", "off", "win_back", "--reason", "x").sentence.startswith(
        "There is no play 'win_back'; use one of check_in, "
    )
    assert asked.shell("plays", "off", "check_in", "--reason", " ").sentence == "--reason is empty; say why."
    assert asked.shell("plays", "off", "check_in").code == 2
