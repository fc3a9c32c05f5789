"""Resources: what assets and commands need in order to reach a home: its settings, sources, lake and clock."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration_project import locks
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.domain.champions import Act
from orchestration_project.domain.rules import RiskRules
from orchestration_project.domain.scorecard import PREFIX, Scorecard
from orchestration_project.domain.tombstones import NOBODY, Tombstones
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home, Settings, last_full_day

if TYPE_CHECKING:
    from orchestration_project.lake import Lake

Versioned = TypeVar("Versioned", RiskRules, Scorecard)


class VersionError(Exception):
    """A version of rules or weights that can't be had; names the file, the cause and the fix."""


class Tombstone(BaseModel):
    """One customer who was erased; says who only to those who know the identifier already."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    salt: str
    pseudonym: str
    at: datetime


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


class Workspace:
    """A home with its settings, and the means to open its lake."""

    def __init__(self, home: Home, clock: Callable[[], datetime] = utc_now, risk: RiskRules | None = None) -> None:
        self.home = home
        self.now = clock
        self._risk = risk

    @cached_property
    def settings(self) -> Settings:
        """The home's settings."""
        return self.home.settings()

    @cached_property
    def workflow(self) -> Manifest:
        """The manifest of the workflow that the daily assets are steps of."""
        return manifest(self.home, HEALTH)

    @cached_property
    def risk(self) -> RiskRules:
        """From facts to scores, as the settings and the manifest say, or the rules that are tried in their place."""
        return self._risk or RiskRules.of(self.settings.risk, self.workflow.bands)

    @property
    def yesterday(self) -> date:
        """The latest full day in UTC, or the last day of a history that has ended."""
        full = last_full_day(self.now())
        return min(full, self.settings.history_end or full)

    @contextmanager
    def lake(self) -> Iterator["Lake"]:
        """The home's lake with an engine of its own, which is closed in the end; waits while the home is taken."""
        with locks.shared(self.home.path), self._opened_lake() as lake:
            yield lake

    @contextmanager
    def alone(self) -> Iterator[Callable[[], AbstractContextManager["Lake"]]]:
        """The home to oneself, and the means to open its lake then; `HomeBusy` where others don't leave."""
        with locks.alone(self.home.path):
            yield self._opened_lake

    @contextmanager
    def _opened_lake(self) -> Iterator["Lake"]:
        from orchestration_project.engine import Engine
        from orchestration_project.lake import Lake

        limits = self.settings.engine
        engine = Engine(limits, limits.spill_folder or self.home.path / "spill")
        lake = Lake(self.home.lake, engine)
        try:
            yield lake
        finally:
            engine.close()
            lake.close()

    def record_rules(self) -> str:
        """Keeps the current rules under their version for good, and returns the version."""
        return self._recorded(self.risk)

    def rules(self, version: str) -> RiskRules:
        """The rules that were recorded under a version."""
        if version == self.risk.version:
            return self.risk
        return self._read(RiskRules, version)

    def record_scorecard(self, scorecard: Scorecard) -> str:
        """Keeps a scorecard under its version for good, and returns the version."""
        return self._recorded(scorecard)

    def scorecard(self, version: str) -> Scorecard | None:
        """The scorecard that was recorded under a version; None for weights that are a setting."""
        return self._read(Scorecard, version) if version.startswith(PREFIX) else None

    def acts(self) -> list[Act]:
        """What people decided about weights, in order."""
        try:
            lines = self.home.acts.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        try:
            return [Act.model_validate_json(line) for line in lines if line.strip()]
        except ValidationError as error:
            raise VersionError(f"{self.home.acts} has a line that is no decision; remove or correct it.") from error

    def record_act(self, act: Act) -> None:
        """Adds what a person decided."""
        with self.home.acts.open("a", encoding="utf-8") as file:
            file.write(act.model_dump_json() + "\n")

    def erased(self) -> Tombstones:
        """Who was erased, and is to stay so."""
        try:
            lines = self.home.erased.read_text(encoding="utf-8").splitlines()
            told = [Tombstone.model_validate_json(line) for line in lines if line.strip()]
        except FileNotFoundError:
            return NOBODY
        except ValidationError as error:
            raise VersionError(
                f"{self.home.erased} has a line that is no tombstone, so who was erased is not known; restore the file."
            ) from error
        return Tombstones(told[0].salt, frozenset(each.pseudonym for each in told)) if told else NOBODY

    def record_erased(self, tombstone: Tombstone) -> None:
        """Adds who was erased."""
        with self.home.erased.open("a", encoding="utf-8") as file:
            self.home.erased.chmod(0o600)
            file.write(tombstone.model_dump_json() + "\n")

    def _recorded(self, value: RiskRules | Scorecard) -> str:
        file = self.home.versions / f"{value.version}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            staged = file.with_suffix(f".{id(self)}.part")
            staged.write_text(value.model_dump_json(indent=1), encoding="utf-8")
            staged.replace(file)
        return value.version

    def _read(self, kind: type[Versioned], version: str) -> Versioned:
        file = self.home.versions / f"{version}.json"
        try:
            value = kind.model_validate_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise VersionError(
                f"{file} is not there, so nothing can be computed with version {version}; `orchestrate weights list` "
                "tells the versions that are known. Restore the file, or materialize risk_weights of its month again."
            ) from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise VersionError(_spoilt(file)) from error
        if value.version != version:
            raise VersionError(_spoilt(file))
        return value


def _spoilt(file: Path) -> str:
    return (
        f"{file} does not hold what its name says: it was changed by hand or damaged; restore it, or remove it and "
        "materialize risk_weights of its month again."
    )
