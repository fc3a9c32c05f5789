"""File: messages as files in the home, for a person or another program to pick up; the channel that is always there."""

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from orchestration_project.operations.channel import Message, PermanentFailure, Receipt, TransientFailure
from orchestration_project.operations.mail import Letterhead, composed

LISTS = {"task": "tasks.jsonl", "chat": "chats.jsonl", "note": "notes.jsonl"}
"""Kinds of message that are lines, each with its file; e-mails are files of their own."""
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


class File:
    """A folder with an `.eml` file for each e-mail and a line of JSON for each other message.

    A key that was sent before changes nothing, whoever sends it again.
    """

    def __init__(self, folder: Path, head: Letterhead, now: Callable[[], datetime]) -> None:
        self._folder, self._head, self._now = folder, head, now
        self._lists = {kind: _List(folder / name) for kind, name in LISTS.items()}

    def send(self, message: Message) -> Receipt:
        """Writes the message; the receipt names where it is."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._mail(message) if message.kind == "email" else self._line(message)
        except OSError as error:
            raise TransientFailure(
                f"{self._folder} can't be written ({error.strerror}); check space and rights"
            ) from error

    def _mail(self, message: Message) -> Receipt:
        mail = composed(message, self._head, self._now())
        file = self._folder / f"{file_name(message.idempotency_key)}.eml"
        if not file.exists():
            _write(file, mail.as_bytes())
        return Receipt(mail["Message-ID"], {"file": file.name})

    def _line(self, message: Message) -> Receipt:
        if message.kind not in self._lists:
            raise PermanentFailure(f"message {message.outbox_id} is of kind {message.kind!r}, which no file is for")
        line = {
            "idempotency_key": message.idempotency_key, "recipient": message.recipient,
            "at": self._now().isoformat(timespec="seconds"), "payload": dict(message.payload),
        }  # fmt: skip
        self._lists[message.kind].add(message.idempotency_key, line)
        return Receipt(message.idempotency_key, {"file": LISTS[message.kind]})


class _List:
    """Lines of JSON, one for each key, which several processes may add to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys: set[str] = set()
        self._read_until = 0

    def add(self, key: str, line: dict[str, Any]) -> None:
        """Adds a line, unless one with its key is there."""
        with self._locked() as file:
            self._catch_up(file)
            if key not in self._keys:
                file.write(json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def _catch_up(self, file: IO[bytes]) -> None:
        """Learns the keys of lines that are new; who was killed may have left half a line, which nobody was told of."""
        if self._read_until > os.fstat(file.fileno()).st_size:
            self._keys, self._read_until = set(), 0
        file.seek(self._read_until)
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(self._read_until)
                break
            try:
                self._keys.add(json.loads(line)["idempotency_key"])
            except (ValueError, TypeError, KeyError) as error:
                raise TransientFailure(f"{self._file} has a line that is no message; correct or remove it") from error
            self._read_until += len(line)
        file.seek(self._read_until)

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self._file.touch()
        with self._file.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def file_name(key: str) -> str:
    """A key as a file name: itself where it can be one, else its hash."""
    return key if _PLAIN_NAME.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()


def _write(file: Path, content: bytes) -> None:
    """Writes a file so that it is there as a whole or not at all."""
    with tempfile.NamedTemporaryFile(
        dir=file.parent, prefix=f".{file.stem[:20]}", suffix=".part", delete=False
    ) as part:
        part.write(content)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(file)
