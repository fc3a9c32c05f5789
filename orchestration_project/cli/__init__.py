"""`orchestrate`: one module per group of commands. What commands decide lives elsewhere."""

import sys

ERROR, USAGE = 1, 2


def main() -> None:
    """Entry point: runs a command; what went wrong is one sentence on stderr."""
    from orchestration_project.cli.app import app
    from orchestration_project.cli.console import complain
    from orchestration_project.cli.errors import known_error

    try:
        app(prog_name="orchestrate")
    except KeyboardInterrupt:
        complain("Stopped. What was written is whole; run the same command again to go on.")
        sys.exit(130)
    except Exception as error:
        sentence = known_error(error)
        if sentence is None:
            raise
        complain(sentence)
        sys.exit(ERROR)
