"""Impact: the command that tells whether acting helped."""

from pathlib import Path
from typing import Any

from orchestration_project.cli.console import emit_json, out, table, working
from orchestration_project.cli.show import scanned_day
from orchestration_project.domain.days import DayRange
from orchestration_project.impact import Finding, Measuring, kept, sentence
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources

STYLES = {"helps": "bold green", "harms": "bold red", "assignment broken": "bold red"}


def run_impact(home: Home, day: str | None, output: Path | None, as_json: bool) -> None:
    """Prints what could be told after the scan of a day, and writes the page about it."""
    from orchestration_project.impact_report import impact_report, plan_funnel

    load_sources(home)
    workspace = Workspace(home)
    with working("Measuring", quiet=as_json), workspace.lake() as lake:
        scanned = scanned_day(day, lake, workspace)
        measuring = Measuring(lake, workspace)
        (finding,) = measuring.findings(DayRange(scanned, scanned))
        html = impact_report(workspace, lake, measuring, finding)
        counts = plan_funnel(lake, scanned)
    file = output or home.reports / f"impact-{scanned}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")
    words = sentence(finding.overall, measuring.horizon)
    if as_json:
        emit_json(
            {"scan_day": scanned, "verdict": finding.overall.verdict, "in_words": words, "figures": kept(finding),
             "funnel": dict(counts), "harmful": finding.harmful, "file": file}
        )  # fmt: skip
        return
    out.print(words, style=STYLES.get(finding.overall.verdict))
    _print(finding)
    out.print(f"Wrote {file}", soft_wrap=True)


def _print(finding: Finding) -> None:
    rows = [
        (row["metric"], row["play"], row["variant"], _number(row["value"]), _number(row["low"]), _number(row["high"]),
         row["n"], row["verdict"])
        for row in kept(finding)
    ]  # fmt: skip
    columns = ("metric", "play", "template", "value", "low", "high", "n", "verdict")
    table(f"Known by the end of {finding.day}", columns, rows, right=("value", "low", "high", "n"))


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,.3f}"
