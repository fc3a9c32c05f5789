"""Impact reports: what the Dagster UI says of whether acting helped, and whether it passes its checks."""

from collections.abc import Sequence

import dagster as dg

from assets.results import records, written
from orchestration_project import charts
from orchestration_project.impact import Finding, arms, kept, sentence


def report_impact(finding: Finding, horizon: int, off: Sequence[str]) -> dg.MaterializeResult:
    """What the UI says of the newest day in `business_outcomes`; `off` are the plays that were switched off for it."""
    rows = arms(finding)
    metadata = {
        "verdict": finding.overall.verdict,
        "in words": sentence(finding.overall, horizon),
        "figures": records(kept(finding)),
        "plays switched off": ", ".join(off) or "none",
        **({"retention": charts.picture(charts.retention(rows))} if len(rows) else {}),
    }
    return written(metadata, [_assigned(finding), _harmless(finding)])


def _assigned(finding: Finding) -> dg.AssetCheckResult:
    effects = {"all plays": finding.overall} | finding.plays
    broken = [name for name, found in effects.items() if found.verdict == "assignment broken"]
    return dg.AssetCheckResult(
        check_name="assigned_as_declared", passed=not broken, severity=dg.AssetCheckSeverity.WARN,
        metadata={"where not": ", ".join(broken) or "nowhere"},
    )  # fmt: skip


def _harmless(finding: Finding) -> dg.AssetCheckResult:
    effects = {"all plays": finding.overall} | finding.plays
    harms = [name for name, found in effects.items() if found.verdict == "harms"]
    return dg.AssetCheckResult(
        check_name="harmless", passed=not harms, severity=dg.AssetCheckSeverity.WARN,
        metadata={"where not": ", ".join(harms) or "nowhere", **finding.harmful},
    )  # fmt: skip
