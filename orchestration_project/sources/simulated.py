"""Simulated: the tables of the simulated company, made on first use and again for each new day."""

import hashlib
from datetime import date
from pathlib import Path

import ibis.expr.types as ir

from orchestration_project.engine import Engine
from orchestration_project.settings import Home
from orchestration_project.sources.config import Simulation
from orchestration_project.sources.connector import RawRows

FOLDER = "simulation"


class Simulated:
    """One canonical table of the simulated company."""

    def __init__(self, name: str, simulation: Simulation, home: Home, engine: Engine, yesterday: date) -> None:
        self._name, self._simulation, self._home, self._engine = name, simulation, home, engine
        self._until = simulation.until or yesterday

    def rows(self) -> RawRows:
        """The table's rows, up to and including the last simulated day."""
        folder = company_folder(self._home, self._simulation, self._until)
        return RawRows(self._engine.parquet_by_name([str(folder / "tables" / self._name / "*.parquet")]))

    def collect(self, expression: ir.Table) -> ir.Table:
        """The files are read by the engine itself."""
        return self._engine.keep(expression)

    def fingerprint(self) -> str:
        """The last simulated day."""
        return self._until.isoformat()


def company_folder(home: Home, simulation: Simulation, until: date) -> Path:
    """The folder with the company's tables up to `until`; simulates them where they are not there yet."""
    from orchestration_project.sources.simulation.company import Company
    from orchestration_project.sources.simulation.simulate import simulate

    company = Company.model_validate(simulation.model_dump(exclude={"until"}))
    name = hashlib.sha256(company.model_dump_json().encode()).hexdigest()[:12]
    folder = home.path / FOLDER / f"{name}-{until}"
    if not (folder / "tables").exists():
        simulate(company, until, folder)
    return folder
