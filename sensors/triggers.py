"""tmp"""
from orchestration_project.resources import Workspace


def schedules(workspace: Workspace) -> list:
    return []


def sensors(workspace: Workspace) -> list:
    return []
