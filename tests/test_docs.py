"""What users see is in the documentation, and what the documentation shows is so."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dagster as dg
import pytest
import typer.main
import yaml

from docs.generate import pages
from orchestration_project.cli.app import app
from orchestration_project.cli.scaffold import documented
from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.definitions import build
from orchestration_project.domain.factors import INSUFFICIENT_HISTORY
from orchestration_project.domain.rules import FAMILIES
from orchestration_project.domain.scoring import EXCEPTIONS
from orchestration_project.jobs import DAILY_GROUPS
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.operations.models import Base
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home, Settings
from orchestration_project.sources.check import MENDS
from orchestration_project.sources.config import FilesSource, McpSource, Simulation, Sources, SqlSource

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = typer.main.get_command(app)
MACHINE_PATH = re.compile(r"(?<![\w.~$}*-])/(work|home|Users|root|opt|private)/\w")
REGISTRY = re.compile(r"pypi\.org|pythonhosted|artifactory|index-url|/simple/|extra-index", re.IGNORECASE)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def everything() -> str:
    return "\n".join(text(page) for page in PAGES)


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language, without their indentation in a list."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text(page), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, of, block in found if of == language]


def rows(page: Path, *head: str) -> list[list[str]]:
    """The rows of the table that begins with this head, without the marks of code."""
    lines = text(page).splitlines()
    start = lines.index("| " + " | ".join(head) + " |") + 2
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def command_lines() -> Iterator[tuple[str, str]]:
    """Whole command lines in fenced blocks, with the page they are on."""
    for page in PAGES:
        for block in blocks(page, ""):
            for line in block.splitlines():
                if "orchestrate " in line and re.match(r"([A-Z_]+=\S+ )*orchestrate ", line):
                    yield page.name, line[line.index("orchestrate ") :]


def named_commands() -> Iterator[tuple[str, str]]:
    """Commands in running text, with the page they are on."""
    for page in PAGES:
        for line in re.findall(r"`(orchestrate [^`]+)`", text(page)):
            yield page.name, line


def all_commands(command=COMMANDS, name: str = "orchestrate") -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name
        return
    for each, child in below.items():
        yield from all_commands(child, f"{name} {each}")


def parsed(line: str) -> None:
    """Parses a command line as the program would, without running it."""
    command, (name, *arguments) = COMMANDS, shlex.split(line)
    context = None
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    context = command.make_context(name, arguments)
    context.close()


@pytest.fixture(scope="module")
def definitions(tmp_path_factory) -> dg.Definitions:
    return build(Workspace(Home(tmp_path_factory.mktemp("none"))))


@pytest.fixture(scope="module")
def specs(definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_every_asset_is_in_the_readme_with_its_group_and_partitions(specs):
    partitions = {dg.DailyPartitionsDefinition: "day", dg.MonthlyPartitionsDefinition: "month", type(None): "none"}
    told = [tuple(row[:3]) for row in rows(README, "group", "asset", "partitions", "content")]
    assert sorted(told) == sorted(
        (spec.group_name, name, partitions[type(spec.partitions_def)]) for name, spec in specs.items()
    )


def test_every_check_is_in_the_readme_and_blocks_as_it_says(definitions):
    told = {name: blocks for name, _, _, blocks in rows(README, "check", "of", "what it says", "blocks")}
    checks = [spec for each in definitions.assets or () for spec in each.check_specs]
    assert told.keys() == {spec.name for spec in checks}
    assert {name for name, blocks in told.items() if blocks.startswith("yes")} == {
        spec.name for spec in checks if spec.blocking
    }


def test_every_trigger_is_in_the_readme_with_its_default_status(definitions):
    told = {name: status for name, _, status, _ in rows(README, "trigger", "kind", "default status", "what it does")}
    triggers = [*(definitions.schedules or ()), *(definitions.sensors or ())]
    assert told == {trigger.name: trigger.default_status.value for trigger in triggers}


def test_every_table_of_the_operations_store_is_told():
    told = [name for name, _ in rows(ROOT / "docs" / "operations.md", "table", "what a row is")]
    assert sorted(told) == sorted(Base.metadata.tables)


def test_every_job_is_in_the_readme_and_the_triggers_schedule_is_as_told(definitions):
    assert [job.name for job in definitions.jobs or () if f"`{job.name}`" not in text(README)] == []


def test_every_picture_is_in_the_readme():
    titles = re.findall(r'Chart\(\w+, title=f?"([^",{]+)', text(ROOT / "orchestration_project" / "charts.py"))
    assert len(titles) == 3
    assert [title for title in titles if f"*{title}*" not in text(README)] == []


def test_every_command_is_in_the_readme_and_no_other():
    assert sorted(name for name, _ in rows(README, "command", "what it does")) == sorted(all_commands())


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())))
def test_a_command_line_that_is_shown_parses(page, line):
    parsed(line)


@pytest.mark.parametrize(("page", "line"), sorted(set(named_commands())))
def test_a_command_that_is_named_exists(page, line):
    assert any(f"{line} ".startswith(f"{name} ") for name in all_commands())


@pytest.mark.parametrize("line", ["orchestrate scan --day 2026-01-01", "orchestrate explain", "orchestrate backfill"])
def test_a_command_line_that_is_wrong_would_be_found(line):
    with pytest.raises(Exception, match=r"(?i)no such option|missing"):
        parsed(line)


def test_the_selection_that_is_launched_is_the_health_scan(definitions, specs):
    (shown,) = {found for page in PAGES for found in re.findall(r"dg launch --assets '([^']+)'", text(page))}
    graph = definitions.resolve_asset_graph()
    chosen = {key.to_user_string() for key in dg.AssetSelection.from_string(shown).resolve(graph)}
    assert chosen == {name for name, spec in specs.items() if spec.group_name in DAILY_GROUPS}


def test_every_target_of_the_makefile_is_documented_and_no_other():
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    told = text(README) + text(ROOT / "CONTRIBUTING.md")
    named = set(re.findall(r"(?:`|^ *)make ([a-z]+)(?:`|$)", told, re.MULTILINE))
    assert named == targets


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_up_to_date(name):
    assert text(ROOT / "docs" / name) == pages()[name], "run `make docs`"


def test_every_setting_is_documented_with_its_default_and_meaning():
    told = rows(ROOT / "docs" / "settings.md", "setting", "default", "meaning")
    assert [row[0] for row in told] == [name for name, _, _ in documented(Settings)]
    assert [row for row in told if not all(row)] == []


def test_every_table_and_column_is_documented():
    page = text(ROOT / "docs" / "tables.md")
    absent = [table for table in (*SOURCE_TABLES, *LAKE_TABLES) if f"\n### {table}" not in page]
    absent += [f"{table}.{column}" for table, each in SOURCE_TABLES.items() for column in each.names
               if f"| `{column}` |" not in page]  # fmt: skip
    absent += [f"{table}.{column.name}" for table, each in LAKE_TABLES.items() for column in each
               if f"| `{column.name}` | {column.type} | {column.description} |" not in page]  # fmt: skip
    assert absent == []


def test_every_key_of_the_sources_file_is_documented():
    page = text(ROOT / "docs" / "sources.md")
    models = (FilesSource, SqlSource, McpSource, Simulation, Sources.model_fields["churn"].annotation)
    assert [name for model in models for name in model.model_fields if f"`{name}`" not in page] == []


def test_every_reason_to_quarantine_is_documented():
    told = " ".join(reason for reason, _, _ in rows(ROOT / "docs" / "sources.md", "reason", "when", "example"))
    assert [sign for sign, _ in MENDS if sign not in told] == []


def test_every_reason_for_missing_facts_is_documented():
    told = {reason for reason, _ in rows(ROOT / "docs" / "sources.md", "reason", "meaning")}
    domain = "".join(text(file) for file in (ROOT / "orchestration_project" / "domain").glob("*.py"))
    used = {reason for reason in re.findall(r'"([a-z_]+)"', domain) if re.match(r"source_|no_rows|too_new", reason)}
    assert told == used | {INSUFFICIENT_HISTORY}


@pytest.mark.parametrize("word", [*FAMILIES, *EXCEPTIONS, "insufficient_data", "data_quality_review", "human_review"])
def test_what_a_score_may_say_is_explained(word):
    assert f"`{word}`" in text(ROOT / "docs" / "scoring.md")


def test_every_class_of_error_is_documented_with_its_pathway():
    told = {name: pathway for name, _, _, pathway in rows(
        ROOT / "docs" / "agents.md", "class", "when", "made again", "pathway that ships"
    )}  # fmt: skip
    assert told == manifest(Home(ROOT / "none"), HEALTH).handling.model_dump()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text(page))
    assert [to for to in targets if "://" not in to and not (page.parent / to).exists()] == []


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "sources.md"], ids=lambda page: page.name)
def test_every_example_of_a_sources_file_is_valid(page):
    examples = blocks(page, "yaml")
    assert examples
    for example in examples:
        Sources.model_validate(yaml.safe_load(example))


def test_no_tracked_file_names_a_path_of_this_machine_or_a_registry():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone, so nobody knows which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        file = ROOT / name
        if not file.is_file() or file.suffix in (".png", ".parquet", ".csv") or file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line) or REGISTRY.search(line):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []


def test_locked_versions_name_no_address():
    assert "://" not in text(ROOT / "requirements.lock")
