# ruff: noqa: E501 - one mistake a line
"""Manifests: what ships is in order, and each mistake is refused with file, line, cause and fix."""

from pathlib import Path

import pytest

from orchestration_project.manifests import HEALTH, ManifestError, manifest, manifest_files, read
from orchestration_project.settings import Home

SHIPPED = manifest_files(Home(Path("nowhere")))[HEALTH].read_text(encoding="utf-8")
OUTREACH = "  - {from: risk_assessor, to: outreach_agent, when: {score: {at_least: 4, below: 8}}}\n"
ALERT = "  - {from: risk_assessor, to: account_manager_alert, when: {score: {at_least: 8}}}\n"
LOW = "  - {from: risk_assessor, to: monitor, when: {score: {below: 4}}}\n"
MISTAKES = {
    "unknown step in a connection": ("to: usage_pattern_analyser}", "to: usage_analyst}", "there is no step usage_analyst"),
    "unknown step before a connection": ("{from: usage_pattern_analyser,", "{from: analyst,", "there is no step analyst"),
    "unknown step of a criterion": ("    step: usage_pattern_analyser", "    step: nobody", "there is no step nobody"),
    "unknown column": ("share(complete) > 0.95", "share(whole) > 0.95", "there is no column whole"),
    "unknown function": ("share(complete) > 0.95", "part(complete) > 0.95", "part(complete) can't be used"),
    "expression of the wrong type": ("share(complete) > 0.95", "share(complete) > 'most'", "can't be compared"),
    "expression of rows": ("share(complete) > 0.95", "complete", "no yes or no about the whole table"),
    "expression that is none": ("share(complete) > 0.95", "share(complete", "it is no expression"),
    "unknown tool": ("[email.send, crm.add_note]", "[email.send, crm.delete]", "has no tool crm.delete"),
    "tool of another agent": ("[tasks.create, chat.post]", "[tasks.create, email.send]", "has no tool email.send"),
    "tool of an agent that uses none": (
        "output: usage_trends\n", "output: usage_trends\n    tools: [chat.post]\n", "it uses none", 1,
    ),
    "unknown agent": ("agent: collector", "agent: gatherer", "`roles.customer_data_collector.agent` does not fit"),
    "output of another agent": ("output: usage_trends", "output: risk_scores", "has output usage_trends, not risk_scores"),
    "cycle": (
        "to: usage_pattern_analyser}\n", "to: usage_pattern_analyser}\n  - {from: outreach_agent, to: risk_assessor}\n",
        "leads back to itself", 1,
    ),
    "step that follows itself": (
        "to: usage_pattern_analyser}\n", "to: usage_pattern_analyser}\n  - {from: outreach_agent, to: outreach_agent}\n",
        "leads back to itself", 1,
    ),
    "unreachable step": (OUTREACH, LOW.replace("below: 4", "at_least: 4, below: 8"), "nothing leads to step outreach_agent", None),
    "threshold gap": ("at_least: 4, below: 8", "at_least: 5, below: 8", "scores from 4 to 5 have no way"),
    "threshold overlap": ("at_least: 4, below: 8", "at_least: 3, below: 8", "scores from 3 to 4 take two ways"),
    "gap at the top": ("{at_least: 8}", "{at_least: 8, below: 9}", "scores from 9 on have no way"),
    "gap at the bottom": ("{below: 4}", "{at_least: 2, below: 4}", "scores below 2 have no way"),
    "range the wrong way round": ("at_least: 4, below: 8", "at_least: 8, below: 4", "no score is at least 8 and below 4"),
    "threshold off the scale": ("{at_least: 8}", "{at_least: 80}", "less than or equal to 10"),
    "nobody without a score": (
        "  - {from: risk_assessor, to: review, when: {score: missing}}\n", "", "customers without score have no way", None,
    ),
    "a way for some and for all": (", when: {score: {at_least: 8}}", "", "it takes all customers of step risk_assessor", None),
    "condition without a score": (
        "to: risk_assessor}", "to: risk_assessor, when: {score: {at_least: 4}}}", "has no score to tell customers apart by",
    ),
    "missing section": ("triggers: [daily_scan, new_data, scan_automation, monthly_refit, messages_due, retention]\n", "", "`triggers` is missing; add it", None),
    "unknown section": ("triggers:", "trigger:", "`trigger` is not known"),
    "unknown key": ("    timeout_seconds: 30", "    timeout: 30", "`timeout` is not known"),
    "wrong type": ("    attempts: 3", "    attempts: often", "`roles.customer_data_collector.attempts` does not fit"),
    "number out of range": ("    attempts: 3", "    attempts: 0", "greater than or equal to 1"),
    "deadline before a time-out": (
        "    deadline_seconds: 3600\n", "    deadline_seconds: 10\n", "before the time-out of one call",
    ),
    "waits that shrink": ("most_seconds: 30", "most_seconds: 0.5", "the longest wait is shorter than the first"),
    "unknown trigger": ("[daily_scan, new_data, scan_automation, monthly_refit, messages_due, retention]", "[hourly_scan]", "there is no trigger hourly_scan"),
    "limits of an agent that calls nothing": (
        "output: usage_trends\n", "output: usage_trends\n    attempts: 5\n", "agent usage_analyser has its limits nowhere", 1,
    ),
    "limits of an agent whose calls settings limit": (
        "output: outreach_drafts\n", "output: outreach_drafts\n    timeout_seconds: 5\n", "under `channels` and `language_model`", 1,
    ),
    "an agent that acts without bounds": (
        "    acts:\n      autonomy: auto\n      channel: file\n      recorded_by: file\n", "", "it does not say how far agent account_alert may act", None,
    ),
    "bounds of an agent that acts on nobody": (
        "output: usage_trends\n", "output: usage_trends\n    acts: {autonomy: auto}\n", "agent usage_analyser acts on nobody", 1,
    ),
    "alerts by mail": (
        "      autonomy: auto\n      channel: file\n", "      autonomy: auto\n      channel: smtp\n", "agent account_alert can't send by smtp", 1,
    ),
    "alerts that wait for the customer's morning": (
        "      autonomy: auto\n      channel: file\n", "      autonomy: auto\n      channel: file\n      quiet_hours: {start: 18}\n", "they are the customer's, and alerts go to our own people", 2,
    ),
    "notes that nobody takes": (
        "      autonomy: approve\n      channel: file\n      recorded_by: file\n", "      autonomy: approve\n      recorded_by: slack\n", "slack takes no notes", 1,
    ),
    "notes by a tool that may not be called": (
        "    tools: [email.send, crm.add_note]\n    acts:\n      autonomy: approve\n      channel: file\n      recorded_by: file\n",
        "    tools: [email.send]\n    acts:\n      autonomy: approve\n      recorded_by: mcp\n", "it tells of it by crm.add_note, which the role may not call", 3,
    ),
    "mail by a tool that may not be called": (
        "    tools: [email.send, crm.add_note]\n    acts:\n      autonomy: approve\n      channel: file\n",
        "    tools: [crm.add_note]\n    acts:\n      autonomy: approve\n      channel: mcp\n",
        "it sends by email.send, which the role may not call", 3,
    ),
    "unknown template": ("templates: [check_in]", "templates: [check_out]", "there is no template check_out"),
    "play about an unknown factor": ("factor: usage_decline", "factor: weather", "does not fit"),
    "hysteresis out of range": ("hysteresis: 0.5", "hysteresis: 4", "less than or equal to 3"),
    "bands that lead elsewhere": (
        f"{OUTREACH}{ALERT}", OUTREACH.replace("outreach_agent", "account_manager_alert") + ALERT.replace("account_manager_alert", "outreach_agent"),
        "scores lead, from the lowest on, to monitor, account_manager_alert, outreach_agent", None,
    ),
    "output that is not in the state": ("outreach_drafts, account_alerts, churn", "outreach_drafts, churn", "writes account_alerts, which is not among the tables"),
    "unknown table": ("[customer_profiles, usage_trends, risk_factors,", "[profiles,", "there is no table profiles"),
    "table named twice": ("[customer_profiles, usage_trends,", "[customer_profiles, customer_profiles,", "is there twice"),
    "objective without a criterion": ("measured_by: [trends_known]", "measured_by: [trends]", "there is no criterion trends"),
    "step named like an end": ("  outreach_agent:\n", "  monitor:\n", "can't be called monitor"),
    "owner that is nobody": ("owner: team:account-management", "owner: them", "does not fit"),
    "pathway that is none": ("tool_failure: retry", "tool_failure: ignore", "`handling.tool_failure` does not fit"),
    "error class without pathway": ("  tool_failure: retry\n", "", "`tool_failure` is missing; add it", None),
    "key twice": ("  tool_failure: retry\n", "  tool_failure: retry\n  tool_failure: review\n", "is there twice, first in line", 1),
    "not YAML": ("handling:\n", "handling: [\n", "correct the YAML there", None),
    "alias": ("handling:\n", "handling: &h\n  <<: *h\n", "aliases (*name) are not used here", 1),
    "file of another name": ("workflow: customer_health", "workflow: something", "the file is called customer_health.yaml"),
}  # fmt: skip


def refused(tmp_path: Path, content: str | bytes) -> list[str]:
    file = tmp_path / f"{HEALTH}.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ManifestError) as raised:
        read(file)
    return [line.removeprefix(f"{file}") for line in str(raised.value).splitlines()]


def test_what_ships_is_in_order_and_has_five_agents_with_one_responsibility_each() -> None:
    found = manifest(Home(Path("nowhere")), HEALTH)
    assert [role.agent for role in found.roles.values()] == [
        "collector", "usage_analyser", "risk_assessor", "outreach", "account_alert",
    ]  # fmt: skip
    assert len({role.responsibility for role in found.roles.values()}) == 5
    assert found.first == "customer_data_collector"
    collector = found.roles["customer_data_collector"]
    assert (collector.timeout_seconds, collector.attempts, collector.backoff.factor) == (30, 3, 2)
    assert set(found.model_dump()) - {"workflow", "version", "description"} == {
        "objectives", "roles", "connections", "handling", "evaluation", "state", "triggers", "escalation",
    }  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_file_line_and_fix(tmp_path: Path, mistake: str) -> None:
    old, new, told, *below = MISTAKES[mistake]
    assert SHIPPED.count(old) >= 1
    told_by = [line for line in refused(tmp_path, SHIPPED.replace(old, new, 1)) if told in line]
    assert len(told_by) == 1
    assert told_by[0].endswith(".")
    if below != [None]:
        line = SHIPPED[: SHIPPED.index(old)].count("\n") + 1 + sum(below)
        assert told_by[0].startswith(f", line {line}: ")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "does not fit"), (b"- 1\n", "does not fit"), (b"\xff\xfe", "is not UTF-8 text"), (b"a: " + b"[" * 5000, "")],
)
def test_a_file_that_is_no_manifest_at_all_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in "\n".join(refused(tmp_path, content))


def test_a_manifest_in_the_home_takes_the_place_of_the_one_that_ships(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.workflows.mkdir()
    own = SHIPPED.replace("version: 1", "version: 7").replace("attempts: 3", "attempts: 5")
    (home.workflows / f"{HEALTH}.yaml").write_text(own)
    found = manifest(home, HEALTH)
    assert (found.version, found.roles["customer_data_collector"].attempts) == (7, 5)
    with pytest.raises(ManifestError, match="There is no workflow 'moon'; use one of customer_health"):
        manifest(home, "moon")
