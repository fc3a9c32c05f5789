"""Options: those that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder that holds all state; default: $ORCHESTRATE_HOME or .orchestrate")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
UserOption = Annotated[
    str | None, typer.Option("--as-user", help="Who decides; default: $ORCHESTRATE_USER, or the login name.")
]
