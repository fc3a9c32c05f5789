"""Learning: the commands that refit weights, and that tell and decide which are in force."""

import getpass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from orchestration_project.cli.console import emit_json, out, say, table, working
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import opened, told
from orchestration_project.domain.champions import Act, Decision, line_of_succession
from orchestration_project.partitions import MONTH_FORMAT, month_key, months_between
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources
from orchestration_project.weights import decisions


def run_learning(home: Home, first: str | None, last: str | None, as_json: bool) -> None:
    """Refits the months from `first` to `last`, by default the last that is over."""
    workspace = Workspace(home)
    load_sources(home)
    stop = _month(last, workspace, "--to")
    start = stop if first is None else _month(first, workspace, "--from")
    if start > stop:
        raise CommandError(f"--from {month_key(start)} is after --to {month_key(stop)}; swap them.")
    with working("Refitting weights", quiet=as_json) as status:
        report = (lambda text: status.update(f"Refitting weights: {text}")) if status else (lambda _: None)
        with opened(home, report) as runs:
            result = runs.learn(start, stop)
    with workspace.lake() as lake:
        found = [each for each in decisions(lake) if start <= each.month <= stop]
    if as_json:
        warnings = [told(each) for each in result.get_asset_check_evaluations() if not each.passed]
        emit_json({"run_id": result.run_id, "decisions": [_told(each) for each in found], "warnings": warnings})
        return
    _print(found)
    say("Scores of past days keep the weights they were computed with; `orchestrate backfill` computes them anew.")


def list_weights(home: Home, as_json: bool) -> None:
    """Prints every month's decision, what people did, and which weights are in force."""
    workspace, lineage, found = _history(home)
    acts = workspace.acts()
    if as_json:
        emit_json(
            {
                "in_force": lineage[-1],
                "line": lineage,
                "decisions": [_told(each) for each in found],
                "acts": [each.model_dump(mode="json") for each in acts],
            }
        )
        return
    _print(found)
    if acts:
        rows = [(each.on, each.action, each.version, each.by, each.reason) for each in acts]
        table("What people decided", ("from", "action", "version", "by", "reason"), rows)
    out.print(f"In force: [bold]{lineage[-1]}[/]")


def show_weights(home: Home, version: str | None, as_json: bool) -> None:
    """Prints one version: its families, and the curve of every signal."""
    workspace, lineage, _ = _history(home)
    wanted = version or lineage[-1]
    card = workspace.scorecard(wanted)
    if card is None:
        weights = workspace.risk.scoring.weights
        if wanted != weights.version:
            raise CommandError(f"There are no weights {wanted!r}; `orchestrate weights list` tells which there are.")
        emit_json(weights.model_dump()) if as_json else out.print(weights.model_dump())
        return
    if as_json:
        emit_json({"version": wanted} | card.model_dump(mode="json"))
        return
    families = [(family, f"{weight:.3f}") for family, weight in sorted(card.weights.items(), key=lambda e: -e[1])]
    table(f"{wanted}: families", ("family", "weight"), families, right=("weight",))
    rows = [
        (each.signal, each.family, "more" if each.direction > 0 else "less", f"{min(each.points):+.2f}",
         f"{max(each.points):+.2f}", f"{each.missing:+.2f}", len(each.points))
        for each in card.strongest
    ]  # fmt: skip
    columns = ("signal", "family", "riskier with", "least", "most", "unknown", "steps")
    table("Curves, in log-odds of churn", columns, rows, right=("least", "most", "unknown", "steps"))
    out.print(f"Learned on {len(card.trained_on)} scan days, {card.trained_on[0]} to {card.trained_on[-1]}; "
              f"{card.base_rate:.1%} left within {card.horizon_days} days.")  # fmt: skip


def report_weights(home: Home, month: str | None, output: Path | None, as_json: bool) -> None:
    """Writes the page about a month that was refitted, and says where."""
    from orchestration_project.weights_report import weights_report

    workspace, _, found = _history(home)
    if not found:
        raise CommandError(f"No month was refitted in {home.path} yet, so there is nothing to report; "
                           "run `orchestrate learn` first.")  # fmt: skip
    chosen = found[-1].month if month is None else _parsed_month(month, "--month")
    if chosen not in {each.month for each in found}:
        raise CommandError(
            f"--month {month} was not refitted, the last month that was is {month_key(found[-1].month)}; "
            "name another, or run `orchestrate learn` for it first."
        )
    file = output or home.reports / f"weights-{month_key(chosen)}.html"
    with working("Computing the refit anew, and drawing", quiet=as_json), workspace.lake() as lake:
        page = weights_report(workspace, lake, chosen)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")
    if as_json:
        emit_json({"month": month_key(chosen), "file": str(file)})
    else:
        out.print(f"Wrote {file}", soft_wrap=True)


def approve_weights(home: Home, version: str, reason: str) -> None:
    """Puts a version in force from today's scan on."""
    workspace, lineage, found = _history(home)
    known = {each.candidate for each in found if each.candidate} | {workspace.risk.scoring.weights.version}
    if version not in known:
        raise CommandError(f"There are no weights {version!r}; `orchestrate weights list` tells which there are.")
    if version == lineage[-1]:
        raise CommandError(f"{version} is in force already; there is nothing to approve.")
    workspace.scorecard(version)
    workspace.record_act(_act(workspace, "approve", reason, version))
    out.print(f"In force from the scan of {workspace.yesterday} on: [bold]{version}[/]")


def rollback_weights(home: Home, reason: str) -> None:
    """Returns to the version that was in force before."""
    workspace, lineage, _ = _history(home)
    if len(lineage) < 2:
        raise CommandError(f"{lineage[-1]} is all that was ever in force; there is nothing to return to.")
    workspace.record_act(_act(workspace, "rollback", reason))
    out.print(f"In force from the scan of {workspace.yesterday} on: [bold]{lineage[-2]}[/] instead of {lineage[-1]}")


def _act(workspace: Workspace, action: Any, reason: str, version: str | None = None) -> Act:
    return Act(on=workspace.yesterday, by=getpass.getuser(), action=action, version=version, reason=reason)


def _history(home: Home) -> tuple[Workspace, list[str], list[Decision]]:
    load_sources(home)
    workspace = Workspace(home)
    with workspace.lake() as lake:
        found = decisions(lake)
    prior = workspace.risk.scoring.weights.version
    return workspace, line_of_succession(prior, found, workspace.acts(), workspace.yesterday), found


def _told(decision: Decision) -> dict[str, Any]:
    return decision.model_dump(mode="json") | {"month": month_key(decision.month), "champion": decision.champion}


def _print(found: list[Decision]) -> None:
    rows = [
        (month_key(each.month), each.status, each.candidate, each.champion,
         "; ".join(check.told for check in each.checks if not check.passed) or "all passed")
        for each in found
    ]  # fmt: skip
    table("Refits", ("month", "status", "candidate", "in force afterwards", "why"), rows)


def _month(text: str | None, workspace: Workspace, option: str) -> date:
    """A month that is over, from the command line; the last one where none is named."""
    start = workspace.settings.history_start
    today = workspace.now().date()
    over = months_between(min(start, today), today)[:-1]
    end = workspace.settings.history_end
    over = [each for each in over if end is None or each <= end]
    if not over:
        raise CommandError(f"No month since `history_start` {start} is over; there is nothing to learn from yet.")
    if text is None:
        return over[-1]
    month = _parsed_month(text, option)
    if month not in over:
        raise CommandError(
            f"{option} {text} can't be learned from; the months are {month_key(over[0])} to {month_key(over[-1])}."
        )
    return month


def _parsed_month(text: str, option: str) -> date:
    try:
        return datetime.strptime(text, MONTH_FORMAT).date()  # noqa: DTZ007 - a month has no zone
    except ValueError as error:
        raise CommandError(f"{option} {text!r} is no month; write it as 2026-10.") from error
