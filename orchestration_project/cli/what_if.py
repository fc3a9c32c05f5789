"""What-if: the command that scores past days again under other weights or settings, and keeps nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from orchestration_project.cli.console import emit_json, out, table, working
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import wanted_day
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import RiskRules
from orchestration_project.domain.what_if import NO_BAND
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home, parsed
from orchestration_project.what_if import Comparison, WhatIf

BANDS = ("low", "medium", "high", NO_BAND)
WAYS = ("before", "after")
NAMES = {"auc": "AUC", "log_loss": "log loss", "slope": "calibration slope", "intercept": "calibration intercept"}


class _Tried(BaseModel):
    risk: RiskRules


def run_what_if(
    home: Home, span: tuple[str, str | None], version: str | None, changes: Sequence[str], as_json: bool
) -> None:
    """Prints how the stored scores of some days differ from what a version or changed settings would have given."""
    now = Workspace(home)
    if version is None and not changes:
        raise CommandError("Nothing is changed, so there is nothing to compare; pass --version or --set.")
    first, last = wanted_day(span[0], now, "--from"), wanted_day(span[1], now, "--to")
    if first > last:
        raise CommandError(f"--from {first} is after --to {last}; swap them.")
    tried = Workspace(home, now.now, _changed(now.risk, changes))
    if version is not None and tried.scorecard(version) is None:
        prior = tried.risk.scoring.weights.version
        if version != prior:
            raise CommandError(
                f"There are no weights {version!r}; `orchestrate weights list` tells which there are, "
                f"the prior's are {prior}."
            )
    with working("Scoring again", quiet=as_json), now.lake() as lake:
        found = WhatIf(lake, tried, DayRange(first, last), version, now.risk).compare()
    told = {"from": first, "to": last, "version": version, "set": list(changes)}
    if as_json:
        emit_json(told | _document(found))
    else:
        _print(found)


def _changed(rules: RiskRules, changes: Sequence[str]) -> RiskRules:
    content = {"risk": rules.model_dump(mode="json")}
    for change in changes:
        path, equals, value = change.partition("=")
        keys = path.strip().split(".")
        if not equals or keys[0] != "risk" or len(keys) < 2:
            raise CommandError(f"--set {change!r} names no setting of `risk`; write it as risk.scoring.high_from=7.")
        place: dict[str, Any] = content
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                raise CommandError(f"--set {change!r}: {path.strip()} is not a setting; docs/settings.md has them all.")
            place = place[key]
        try:
            place[keys[-1]] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise CommandError(f"--set {change!r} has a value that is no YAML; put text into quotes.") from error
    return parsed(_Tried, content, Path("--set")).risk


def _document(found: Comparison) -> dict[str, Any]:
    return {
        "customer_days": found.customer_days,
        "bands": [{"before": one, "after": other, "customer_days": n} for (one, other), n in found.bands.items()],
        "alerts": {name: vars(found.alerts[name]) for name in WAYS},
        "outcomes": {"known": found.outcomes, "churned": found.churned, "not_known": found.unknown},
        "figures": {name: {key: vars(each) for key, each in found.figures[name].items()} for name in WAYS},
    }


def _print(found: Comparison) -> None:
    rows = [(one, *(found.bands.get((one, other), 0) for other in BANDS)) for one in BANDS]
    moved = sum(n for (one, other), n in found.bands.items() if one != other)
    table(
        f"{moved:,} of {found.customer_days:,} customer-days move to another band", ("before \\ after", *BANDS), rows,
        right=BANDS,
    )  # fmt: skip
    alerts = [(name, f"{found.alerts[name].high_per_day:.1f}", _per_week(found, name)) for name in WAYS]
    table("Alerts", ("", "high per day", "new per week"), alerts, right=("high per day", "new per week"))
    if not found.figures["before"]:
        out.print(f"Of {found.outcomes:,} customer-days whose outcome is known, {found.churned:,} left: "
                  "nothing to judge by. `orchestrate learn` tells outcomes once the horizon is over.")  # fmt: skip
        return
    names = [name for name in NAMES if any(name in found.figures[way] for way in WAYS)]
    figures = [(NAMES[name], *(_told(found.figures[way].get(name)) for way in WAYS)) for name in names]
    title = f"How well they tell the {found.churned:,} of {found.outcomes:,} who left"
    table(f"{title}; of {found.unknown:,} more nothing is known, or they don't count", ("", *WAYS), figures)


def _per_week(found: Comparison, way: str) -> str:
    new = found.alerts[way].new_per_week
    return "-" if new is None else f"{new:.1f}"


def _told(figure: Any) -> str:
    return "not known" if figure is None else f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
