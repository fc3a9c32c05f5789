"""`python -m orchestration_project.cli`: the same as `orchestrate`."""

from orchestration_project.cli import main

main()
