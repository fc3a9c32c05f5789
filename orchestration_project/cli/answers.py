"""Answers: the commands that read what came back, and that serve the page where readers unsubscribe."""

from pathlib import Path
from urllib.parse import urlsplit

from orchestration_project.cli.console import emit_json, figures, out, say
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.store import opened_store
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

PAGE = "/unsubscribe"


def read(home: Home, folder: Path | None, as_json: bool) -> None:
    """Reads a folder of mails, or else the mailbox of the settings."""
    from orchestration_project.outgoing import Outgoing

    workspace = Workspace(home)
    home.require()
    if folder is not None and not folder.is_dir():
        raise CommandError(f"{folder} is no folder; name one with .eml files.")
    if folder is None and workspace.settings.channels.inbox.host is None:
        raise CommandError("No mailbox is configured; set `channels.inbox` in settings.yaml, or pass --folder.")
    with opened_store(home) as store:
        done = Outgoing(workspace, store, "responses read").read(folder)
    if as_json:
        emit_json(done)
    else:
        out.print(f"Read: {figures(done) or 'nothing new'}", markup=False)


def serve(home: Home, host: str, port: int) -> None:
    """Serves the page until it is stopped."""
    import uvicorn

    from orchestration_project.operations import suppressions
    from orchestration_project.operations.channels.open import tokens
    from orchestration_project.operations.unsubscribe import Reader, application

    workspace = Workspace(home)
    home.require()
    settings = workspace.settings.channels
    path = urlsplit(settings.unsubscribe_url or "").path or PAGE
    made = tokens(settings)
    with opened_store(home) as store:

        def suppress(reader: Reader) -> None:
            with store.transaction("unsubscribe page", workspace.now()) as tx:
                suppressions.once(tx, "asked on the page", "unsubscribe", reader.customer_id, reader.address)

        public = settings.unsubscribe_url or "`channels.unsubscribe_url`, which is not set yet,"
        say(f"Serving {path} on http://{host}:{port}; {public} must lead there.")
        uvicorn.run(application(made, suppress, path), host=host, port=port, log_level="warning")
