"""Show: the commands that read scores: who is at risk, and why."""

from datetime import date
from typing import Any

from orchestration_project.cli.console import BAND_STYLES, emit_json, out, table
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import wanted_day
from orchestration_project.domain.change import STEPS, Change, Configuration, path, split
from orchestration_project.domain.factors import SIGNALS
from orchestration_project.domain.rules import FAMILIES
from orchestration_project.domain.scorecard import Scorecard
from orchestration_project.lake import Lake
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources

SHOWN = ("customer_id", "name", "segment", "mrr", "owner")


def show_top(home: Home, day: str | None, limit: int, as_json: bool) -> None:
    """Prints the customers with the highest scores of a scan day."""
    load_sources(home)
    workspace = Workspace(home)
    with workspace.lake() as lake:
        scanned = scanned_day(day, lake, workspace)
        rows = riskiest(lake, scanned, limit)
    if as_json:
        emit_json({"scan_day": scanned, "customers": rows})
        return
    cells = [
        (
            row["customer_id"], row["name"], _number(row["mrr"]), f"{row['score']:.1f}", _styled(row["band"]),
            f"{row['confidence']:.2f}", row["next_action"], why(row["contributions"]),
        )
        for row in rows
    ]  # fmt: skip
    columns = ("customer", "name", "MRR", "score", "band", "confidence", "next action", "why (points)")
    table(f"Customers at risk, scan of {scanned}", columns, cells, right=("MRR", "score", "confidence"))


def riskiest(lake: Lake, day: date, limit: int) -> list[dict[str, Any]]:
    """The `limit` customers with the highest scores, with who they are."""
    keys = [day.isoformat()]
    scores = lake.read("risk_scores", keys, "scan_day")
    profiles = lake.read("customer_profiles", keys, "scan_day").select(*SHOWN)
    joined = scores.filter(scores.score.notnull()).inner_join(profiles, "customer_id")
    worst = joined.order_by([joined.score.desc(), joined.mrr.desc(nulls_first=False), "customer_id"]).limit(limit)
    rows = lake.engine.rows(worst.drop("scan_day", "scored_at", "no_score_reason"))
    return [row | {"contributions": dict(row["contributions"])} for row in rows]


def why(contributions: dict[str, float]) -> str:
    """The three largest contributions, in words."""
    largest = sorted(contributions.items(), key=lambda entry: -entry[1])[:3]
    return ", ".join(f"{name.replace('_', ' ')} {points:.1f}" for name, points in largest if points >= 0.05) or "-"


def show_explanation(home: Home, customer: str, day: str | None, against: str | None, as_json: bool) -> None:
    """Prints why a customer has its score and, where asked, what changed since another day."""
    load_sources(home)
    workspace = Workspace(home)
    with workspace.lake() as lake:
        scanned = scanned_day(day, lake, workspace)
        explained = explanation(lake, workspace, customer, scanned)
        change = None
        if against is not None:
            change = changed(lake, workspace, customer, scanned_day(against, lake, workspace, "--against"), scanned)
    if as_json:
        emit_json(explained | {"change": change})
        return
    _print_explanation(explained)
    if change is not None:
        _print_change(change)


def explanation(lake: Lake, workspace: Workspace, customer: str, day: date) -> dict[str, Any]:
    """Score, contributions, signals and missing parts of one customer on one day."""
    score, factors = _row(lake, "risk_scores", customer, day), _row(lake, "risk_factors", customer, day)
    learned = workspace.scorecard(score["weights_version"])
    families = [
        {
            "family": family,
            "severity": factors[family],
            "points": dict(score["contributions"] or {}).get(family),
            "missing": factors[f"{family}_reason"],
        }
        for family in FAMILIES
    ]
    return {
        **{key: value for key, value in score.items() if key != "contributions"},
        "contributions": dict(score["contributions"] or {}),
        "families": families,
        "signals": {name: _plain(factors[name]) for name in SIGNALS},
        "points": {} if learned is None else _signal_points(lake, workspace, learned, factors),
        "exception": factors["exception"],
        "plan": _plan(lake, customer, day),
        "rules_version": factors["rules_version"],
    }


def _signal_points(lake: Lake, workspace: Workspace, learned: Scorecard, factors: dict[str, Any]) -> dict[str, float]:
    """Points that each signal added to a learned score, largest first."""
    scale = workspace.rules(factors["rules_version"]).scoring.points_per_log_odds
    rows = lake.read("risk_factors", [factors["scan_day"].isoformat()], "scan_day")
    own = rows.filter(rows.customer_id == factors["customer_id"])
    points = lake.engine.rows(own.select(**learned.signal_points(own)))[0]
    return {name: scale * value for name, value in sorted(points.items(), key=lambda entry: -abs(entry[1]))}


def changed(lake: Lake, workspace: Workspace, customer: str, then: date, now: date) -> dict[str, Any]:
    """The change of a score between two days, split into its parts."""
    before, after = _row(lake, "risk_factors", customer, then), _row(lake, "risk_factors", customer, now)
    old, new = (_configuration(lake, workspace, customer, row) for row in (before, after))
    rows = {day: lake.read("risk_factors", [day.isoformat()], "scan_day") for day in (then, now)}
    first, second = (rows[day].filter(rows[day].customer_id == customer) for day in (then, now))
    steps = path(first, second, old, new, connected(before), connected(after))
    found = {step: lake.engine.rows(steps[step].select("score", "contributions"))[0] for step in STEPS}
    change: Change | None = split({step: row["score"] for step, row in found.items()})
    if change is None:
        return {"against": then, "reason": "one of the two days has no score, so there is no change to split"}
    points = {step: dict(row["contributions"] or {}) for step, row in found.items()}
    names = sorted(set(points["then"]) | set(points["now"]))
    return {
        "against": then,
        "then": change.then,
        "now": change.now,
        "total": change.total,
        "data": change.data,
        "missing_data": change.missing,
        "configuration": change.configuration,
        "contributions": {
            name: {"then": points["then"].get(name, 0.0), "now": points["now"].get(name, 0.0)} for name in names
        },
    }


def _configuration(lake: Lake, workspace: Workspace, customer: str, factors: dict[str, Any]) -> Configuration:
    """What scored a row of factors."""
    score = _row(lake, "risk_scores", customer, factors["scan_day"])
    override = score["score"] if "override" in score["factors"] else None
    rules, scorecard = workspace.rules(factors["rules_version"]), workspace.scorecard(score["weights_version"])
    return Configuration(rules, scorecard, override)


def connected(factors: dict[str, Any]) -> list[str]:
    """The families whose source was connected when a row of factors was computed."""
    return [family for family in FAMILIES if factors[f"{family}_reason"] != "source_not_connected"]


def _plan(lake: Lake, customer: str, day: date) -> dict[str, Any] | None:
    """What is done for a customer, or where that stopped; None where the day has no plan."""
    if day.isoformat() not in lake.partitions("action_plan"):
        return None
    plan = _row(lake, "action_plan", customer, day)
    return {name: plan[name] for name in ("action", "state", "since", "play", "cause", "stopped_at", "autonomy")}


def _row(lake: Lake, name: str, customer: str, day: date) -> dict[str, Any]:
    rows = lake.read(name, [day.isoformat()], "scan_day")
    found = lake.engine.rows(rows.filter(rows.customer_id == customer))
    if not found:
        raise CommandError(
            f"Customer {customer!r} is not in the scan of {day}: unknown, not signed up yet, or gone by then; "
            "`orchestrate top --json` lists customers that are."
        )
    return found[0]


def scanned_day(text: str | None, lake: Lake, workspace: Workspace, option: str = "--date") -> date:
    """The scan day that was asked for; the latest that was scanned where none was."""
    if text is not None:
        return wanted_day(text, workspace, option)
    scanned = lake.partitions("risk_scores")
    if not scanned:
        raise CommandError(
            f"{workspace.home.path} has no scan yet; run `orchestrate scan --home {workspace.home.path}`."
        )
    return date.fromisoformat(scanned[-1])


def _print_explanation(explained: dict[str, Any]) -> None:
    score = "none" if explained["score"] is None else f"{explained['score']:.2f}"
    reason = f" ({explained['no_score_reason']})" if explained["no_score_reason"] else ""
    out.print(
        f"[bold]{explained['customer_id']}[/] on {explained['scan_day']}: score [bold]{score}[/]{reason}, "
        f"band {_styled(explained['band'])}, confidence {explained['confidence']:.2f}, "
        f"next action [bold]{explained['next_action']}[/]"
    )
    if plan := explained["plan"]:
        out.print(_in_words(plan, explained["band"]))
    rows = [
        (each["family"], _number(each["severity"]), _number(each["points"]), each["missing"])
        for each in explained["families"]
    ]
    rows += [
        (name, None, _number(points), None)
        for name, points in explained["contributions"].items()
        if name not in FAMILIES and points
    ]
    table("Why", ("factor", "severity", "points", "missing because"), rows, right=("severity", "points"))
    if explained["points"]:
        moved = [(name, _number(points)) for name, points in explained["points"].items() if abs(points) >= 0.05]
        table("Signals that moved it", ("signal", "points"), moved, right=("points",))
    known = [(name, _told(value)) for name, value in explained["signals"].items() if value not in (None, [], {})]
    table("Signals", ("signal", "value"), known, right=("value",))
    out.print(f"Points add up to the score minus 1. Weights {explained['weights_version']}, "
              f"rules {explained['rules_version']}.")  # fmt: skip


def _in_words(plan: dict[str, Any], band: str | None) -> str:
    """A plan in one sentence, with the stay that decides where the score alone would not."""
    what = f"{plan['action']} by {plan['play']}" if plan["play"] else plan["action"]
    stopped = f", stopped at {plan['stopped_at']}" if plan["play"] and plan["stopped_at"] else ""
    stays = plan["state"] not in (None, band)
    since = f" since {plan['since']}" if plan["since"] else ""
    return f"Plan: {what}{stopped}" + (f"; still in band {plan['state']}{since}" if stays else "")


def _print_change(change: dict[str, Any]) -> None:
    if "reason" in change:
        out.print(f"Against {change['against']}: {change['reason']}.")
        return
    rows = [(name, f"{change[name]:+.2f}") for name in ("data", "missing_data", "configuration", "total")]
    title = f"Change since {change['against']}: {change['then']:.2f} to {change['now']:.2f}"
    table(title, ("because of", "points"), rows, right=("points",))
    moved = [
        (name, _number(entry["then"]), _number(entry["now"]))
        for name, entry in change["contributions"].items()
        if abs(entry["now"] - entry["then"]) > 0.005
    ]
    table("Contributions that moved", ("factor", "then", "now"), moved, right=("then", "now"))


def _styled(band: str | None) -> str:
    return f"[{BAND_STYLES[band]}]{band}[/]" if band else "-"


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, list) else value


def _told(value: Any) -> str | None:
    if isinstance(value, dict):
        return ", ".join(f"{name} {rate:.2f}" for name, rate in value.items())
    return _number(value)


def _number(value: Any) -> str | None:
    if isinstance(value, bool) or value is None:
        return None if value is None else str(value).lower()
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
