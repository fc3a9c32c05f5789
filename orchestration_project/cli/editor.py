"""Editor: has a person change a subject and a text in the editor of their choice."""

import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestration_project.cli.errors import CommandError

VARIABLES = ("VISUAL", "EDITOR")
SUBJECT = "Subject:"


@dataclass(frozen=True)
class Text:
    """What a person may change."""

    subject: str
    body: str

    def replaced(self, subject: str | None, body: str | None) -> "Text":
        """The text with another subject or body, where one is given."""
        return Text(self.subject if subject is None else subject.strip(), self.body if body is None else body)

    def __str__(self) -> str:
        return f"{SUBJECT} {self.subject}\n\n{self.body}\n"


def command() -> list[str]:
    """The editor that the environment names, with its options."""
    named = next((os.environ[name] for name in VARIABLES if os.environ.get(name, "").strip()), None)
    if named is None:
        raise CommandError(
            "Neither VISUAL nor EDITOR names an editor; export one, for example EDITOR=nano, or pass --subject and "
            "--body-file."
        )
    return shlex.split(named)


def draft_file(text: Text) -> Path:
    """A new file that only this user can read, with the text; whoever is done with it removes it."""
    with tempfile.NamedTemporaryFile("w", prefix="review-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(str(text))
    return Path(file.name)


def edited(editor: list[str], file: Path) -> Text:
    """What the file holds once the editor was closed."""
    try:
        ended = subprocess.run([*editor, str(file)], check=False)
    except OSError as error:
        raise CommandError(f"The editor {editor[0]!r} can't be started ({error.strerror}); correct EDITOR.") from error
    if ended.returncode != 0:
        raise CommandError(f"The editor {editor[0]!r} ended with {ended.returncode}, so nothing was changed.")
    return parsed(read(file))


def read(file: Path) -> str:
    """The text of a file, with line feeds only."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 text; save it as UTF-8.") from error


def parsed(content: str) -> Text:
    """The subject of the first line, and the text below it."""
    first, _, body = content.lstrip("\n").partition("\n")
    if not first.startswith(SUBJECT):
        raise CommandError(f"The first line must begin with `{SUBJECT}`, and the text follows after an empty line.")
    return Text(first.removeprefix(SUBJECT).strip(), body.strip("\n"))
