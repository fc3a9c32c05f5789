"""What tests of channels share: messages, who sends them, and servers in processes of their own."""

import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchestration_project.operations.channel import Message
from orchestration_project.operations.mail import Letterhead
from orchestration_project.operations.unsubscribe import Tokens, link

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)


@pytest.fixture
def now() -> Callable[[], datetime]:
    return lambda: NOW


@pytest.fixture
def head() -> Letterhead:
    page = link("https://health.example/unsubscribe", Tokens("a secret for tests"))
    return Letterhead("ana@health.example", "Ana Gómez", "stop@health.example", page)


@pytest.fixture
def message() -> Callable[..., Message]:
    """A message with a payload that fits its kind, but for what a test says."""
    payloads: dict[str, dict[str, Any]] = {
        "email": {"subject": "How is it going?", "body": "Hello,\n\nis all well?", "customer_id": "C1"},
        "task": {"customer_id": "C1", "subject": "Call C1", "body": "Usage fell by 40 %."},
        "chat": {"body": "C1 is at risk"},
        "note": {"customer_id": "C1", "body": "was written to"},
    }

    def made(kind: str = "email", key: str = "k1", to: str = "bo@customer.example", **payload: Any) -> Message:
        return Message(f"row-{key}", key, kind, to, payloads.get(kind, {}) | payload)

    return made


@dataclass(frozen=True)
class MailServer:
    """A process of mail_server.py."""

    port: int
    process: "subprocess.Popen[str]"
    log: Path

    def taken(self) -> list[dict[str, Any]]:
        """The messages that it took, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path, Path]:
    """A context that trusts an authority of the tests' own, a key with its certificate for `localhost`, and its own."""
    made, folder = trustme.CA(), tmp_path_factory.mktemp("certificates")
    made.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    made.cert_pem.write_to_path(str(folder / "authority.pem"))
    context = ssl.create_default_context()
    made.configure_trust(context)
    return context, folder / "server.pem", folder / "authority.pem"


@pytest.fixture
def mail_server(tmp_path: Path, authority: tuple[ssl.SSLContext, Path, Path]) -> Iterator[Callable[..., MailServer]]:
    """Starts mail servers with the faults that a test wants."""
    started: list[MailServer] = []

    def start(**told: Any) -> MailServer:
        log = tmp_path / f"mails-{len(started)}.jsonl"
        program = Path(__file__).with_name("mail_server.py")
        command = [sys.executable, str(program), json.dumps(told), str(log), str(authority[1])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        started.append(MailServer(int(process.stdout.readline()), process, log))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
