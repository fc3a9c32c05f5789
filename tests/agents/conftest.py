"""What tests of agents share: a server that speaks Anthropic's API, and requests for texts."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(__file__).with_name("messages_server.py")


@dataclass(frozen=True)
class MessagesServer:
    """A process that speaks the Messages API."""

    url: str
    log: Path
    process: "subprocess.Popen[str]"

    def answered(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def messages_server(tmp_path: Path) -> Iterator[Callable[..., MessagesServer]]:
    """Starts servers that do as a test says."""
    started: list[MessagesServer] = []

    def start(**told: Any) -> MessagesServer:
        log = tmp_path / f"messages-{len(started)}.jsonl"
        command = [sys.executable, str(SERVER), json.dumps(told), str(log)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        started.append(MessagesServer(f"http://127.0.0.1:{process.stdout.readline().strip()}", log, process))
        return started[-1]

    yield start
    for each in started:
        each.stop()
