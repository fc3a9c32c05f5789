"""`orchestrate`: one module per group of commands. What commands decide lives elsewhere."""

import sys
from collections.abc import Sequence

ERROR, USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs a command, by default the one this process was called with; errors are one sentence."""
    from orchestration_project.cli.app import app
    from orchestration_project.cli.console import complain
    from orchestration_project.cli.errors import known_error

    try:
        app(arguments, prog_name="orchestrate")
    except KeyboardInterrupt:
        complain("Stopped. What was written is whole; run the same command again to go on.")
        sys.exit(130)
    except Exception as error:
        sentence = known_error(error)
        if sentence is None:
            raise
        complain(sentence)
        sys.exit(ERROR)
