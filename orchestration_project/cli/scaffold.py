"""Scaffold: the files of a new home."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from orchestration_project.cli.console import say
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import prepare_instance
from orchestration_project.resources import utc_now
from orchestration_project.settings import Home, Settings

SIMULATED_DAYS = 548
"""About 18 months."""

SOURCES = """\
# Where each table of this company comes from. See docs/sources.md for all connectors and columns.
# This home starts with a simulated company, so that everything can be tried at once. To use your own tables, replace
# the lines below, for example:
#
#   customers:       {{connector: files, path: crm/*.csv}}
#   usage_events:    {{connector: sql, url: "${{WAREHOUSE_URL}}", table: product.events, columns: {{occurred_at: ts}}}}
#
# A table that you don't have is left out: its facts are then missing, never zero. Then run `orchestrate sources check`.

churn: {{kind: contract}}      # or {{kind: inactivity, days: 90, active_window_days: 180}}

simulation: {{start: {start}, customers: {customers}, missing_rate: 0.002}}

tables:
  customers: {{connector: simulated}}
  usage_events: {{connector: simulated}}
  support_tickets: {{connector: simulated}}
  invoices: {{connector: simulated}}
  engagements: {{connector: simulated}}
"""


def init_home(home: Home, example: str | None) -> None:
    """Makes a home with the simulated company, or with one of the real examples."""
    _refuse_existing(home)
    if example is None:
        write_home(home, utc_now().date(), customers=2000)
    else:
        from orchestration_project.sources.examples import prepare

        prepare(example, home.path)
        prepare_instance(home)
    say(f"Home made at {home.path}: settings.yaml, sources.yaml.")
    say(f"Next: orchestrate sources check --home {home.path}")


def write_home(home: Home, today: date, customers: int) -> None:
    """Writes the files of a home with the simulated company."""
    start = (today - timedelta(days=SIMULATED_DAYS)).replace(day=1)
    home.path.mkdir(parents=True, exist_ok=True)
    home.settings_file.write_text(settings_yaml({"history_start": start}), encoding="utf-8")
    home.sources_file.write_text(SOURCES.format(start=start, customers=customers), encoding="utf-8")
    prepare_instance(home)


def settings_yaml(chosen: dict[str, Any]) -> str:
    """`settings.yaml` with what was chosen, and every other setting commented out at its default."""
    head = "# Settings of this home. What is commented out has the value that is shown: to change it, remove its `#`,\n"
    head += "# and that of the lines above it that it is indented under. docs/settings.md has them all in one table.\n"
    lines = [f"{name}: {value}\n" for name, value in chosen.items()]
    return f"{head}\n{''.join(lines)}\n" + "".join(f"#{line}\n" for line in _lines(Settings, tuple(chosen)))


def documented(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Every setting below a model: its dotted name, its default as YAML, its description."""
    for name, field in model.model_fields.items():
        group = _group(field.annotation)
        if group is not None:
            yield from documented(group, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _default(field), field.description or ""


def _lines(model: type[BaseModel], but: tuple[str, ...] = (), depth: int = 0) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name in but:
            continue
        group = _group(field.annotation)
        setting = f"{'  ' * depth}{name}:" + ("" if group else f" {_default(field)}")
        yield f"{setting:<44}  # {field.description}"
        if group:
            yield from _lines(group, depth=depth + 1)


def _group(annotation: Any) -> type[BaseModel] | None:
    candidates = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "(required)"
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=1000).removesuffix("...\n").strip()


def _refuse_existing(home: Home) -> None:
    for file in (home.sources_file, home.settings_file):
        if file.exists():
            raise CommandError(f"{file} is already there; nothing was changed. Name another folder with --home.")
    if home.path.exists() and not home.path.is_dir():
        raise CommandError(f"{home.path} is a file; name a folder with --home.")
