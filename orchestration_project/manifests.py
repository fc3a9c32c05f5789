"""Manifests: how they are found and read, with file, line and fix for whatever is wrong with one."""

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from orchestration_project.contracts.manifest import Manifest, Path, Problem, problems
from orchestration_project.settings import Home, SettingsError, read_yaml

HEALTH = "customer_health"
"""The workflow that the daily assets are steps of."""
LARGEST = 1_000_000
"""Bytes of a manifest at most."""


class ManifestError(Exception):
    """A manifest that can't be executed; names file, line, cause and fix."""


def manifest_files(home: Home) -> dict[str, Traversable]:
    """The manifests by workflow: those that ship with the project, and over them those in the home."""
    shipped = resources.files(__package__).joinpath("workflows")
    found: dict[str, Traversable] = {}
    for folder in (shipped, home.workflows):
        if folder.is_dir():
            files = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
            found |= {file.name.removesuffix(".yaml"): file for file in sorted(files, key=lambda file: file.name)}
    return found


def manifest(home: Home, workflow: str) -> Manifest:
    """The manifest of a workflow."""
    files = manifest_files(home)
    if workflow not in files:
        raise ManifestError(f"There is no workflow {workflow!r}; use one of {', '.join(files)}.")
    return read(files[workflow], source_tools(home))


def read(file: Traversable, tools: frozenset[str] = frozenset()) -> Manifest:
    """A manifest from its file; `ManifestError` with everything that is wrong, one problem a line."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ManifestError(f"{file} can't be read ({error.strerror}); check its permissions.") from error
    if len(content) > LARGEST:
        raise ManifestError(f"{file} has more than {LARGEST:,} bytes; a manifest is a few pages of YAML.")
    try:
        text = content.decode("utf-8")
        _without_aliases(text)
        node = yaml.compose(text, yaml.SafeLoader)
        told = _plain(node)
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file} is not UTF-8 text; save it as UTF-8.") from error
    except yaml.YAMLError as error:
        raise ManifestError(_spoilt(file, error)) from error
    except RecursionError as error:
        raise ManifestError(f"{file} is nested too deeply; a manifest has a few levels.") from error
    lines = dict(_lines(node)) if node else {}
    try:
        found = Manifest.model_validate(told)
    except ValidationError as error:
        wrong = [_misfit(each["loc"], each["type"], each["msg"]) for each in error.errors()]
        raise ManifestError(_sentences(file, wrong, lines)) from error
    wrong = problems(found, tools)
    if found.workflow != file.name.removesuffix(".yaml"):
        wrong.append(Problem(("workflow",), f"the file is called {file.name}", "rename one of them"))
    if wrong:
        raise ManifestError(_sentences(file, wrong, lines))
    return found


def source_tools(home: Home) -> frozenset[str]:
    """The tools that a home's sources are read with; of a `sources.yaml` that is wrong, as far as they can be told."""
    try:
        tables = read_yaml(home.sources_file).get("tables")
    except SettingsError:
        return frozenset()
    sources = tables.values() if isinstance(tables, dict) else ()
    used = (each for each in sources if isinstance(each, dict) and each.get("connector") == "mcp")
    return frozenset(f"{each.get('server')}.{each.get('tool')}" for each in used)


def _without_aliases(text: str) -> None:
    """Aliases let a few lines stand for any number of them."""
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not used here", problem_mark=event.start_mark)  # type: ignore[arg-type]


def _plain(node: yaml.Node | None) -> Any:
    """The content of a node, where each key is there once only."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"`{key.value}` is there twice, first in line {seen[key.value]}",
                    problem_mark=key.start_mark,
                )
            seen[str(key.value)] = line
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    if node is None:
        return None
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()


def _lines(node: yaml.Node, place: Path = ()) -> Iterator[tuple[Path, int]]:
    """The line of every place in a document."""
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*place, str(key.value)))
            yield (*place, str(key.value)), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            yield from _lines(value, (*place, n))


def _misfit(place: Path, kind: str, message: str) -> Problem:
    """What pydantic found, in words."""
    if kind == "extra_forbidden":
        parent = place[:-1]
        return Problem(place, f"`{place[-1]}` is not known", f"remove it or correct its name ({_known(parent)})")
    if kind == "missing":
        return Problem(place, f"`{place[-1]}` is missing", "add it")
    return Problem(place, f"`{_dotted(place)}` does not fit: {message.removeprefix('Value error, ')}", "correct it")


def _known(place: Path) -> str:
    """Names that are allowed at a place."""
    kind: Any = Manifest
    for part in place:
        fields: Mapping[str, Any] = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
        kind = next(_models(fields[str(part)].annotation), None) if part in fields else kind
    return f"known: {', '.join(field.alias or name for name, field in kind.model_fields.items())}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from _models(each)


def _dotted(place: Path) -> str:
    return ".".join(str(part) for part in place) or "the file"


def _sentences(file: Traversable, wrong: list[Problem], lines: Mapping[Path, int]) -> str:
    told = {(_line(each.place, lines), f"{each.cause}; {each.fix}.") for each in wrong}
    return "\n".join(f"{file}, line {line}: {sentence}" for line, sentence in sorted(told))


def _line(place: Path, lines: Mapping[Path, int]) -> int:
    """The line of a place, or of what it would stand in."""
    for end in range(len(place), -1, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return 1


def _spoilt(file: Traversable, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    return f"{file}, line {line}: {getattr(error, 'problem', None) or 'not valid YAML'}; correct the YAML there."
