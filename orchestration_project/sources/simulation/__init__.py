"""A simulated company: canonical tables with known ways of leaving and a known effect of outreach."""

from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.simulate import simulate

__all__ = ["Company", "simulate"]
