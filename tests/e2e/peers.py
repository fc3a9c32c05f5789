"""Peers: a mail server, a server with Slack's API and MCP servers, and what has arrived at them."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from orchestration_project.operations.mail import Letterhead, message_id
from orchestration_project.operations.models import OutboxMessage
from tests.e2e import pipeline

LATENCY = 0.04
"""Seconds that a peer takes for a message."""
SENDER = "care@company.example"


class Peers:
    """The other side: where messages go, and what has arrived there under which name."""

    def __init__(self, folder: Path, tools: Any) -> None:
        self._mails, self._tools, self._posts = folder / "mails.jsonl", tools, Counter[str]()
        program = Path(__file__).parents[1] / "operations" / "channels" / "mail_server.py"
        told = [json.dumps({"slow": LATENCY}), str(self._mails)]
        self._mail = subprocess.Popen(
            [sys.executable, str(program), *told], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._mail.stdout is not None
        self.mail_port = int(self._mail.stdout.readline())
        self._slack = ThreadingHTTPServer(("127.0.0.1", 0), _slack(self._posts))
        Thread(target=self._slack.serve_forever, daemon=True).start()

    @property
    def channels(self) -> dict[str, Any]:
        """Settings by which they are reached."""
        return {
            "from_address": SENDER, "unsubscribe_mailto": "stop@company.example",
            "smtp": {"host": "127.0.0.1", "port": self.mail_port, "security": "none", "per_minute": 0},
            "slack": {"token_variable": pipeline.TOKEN_VARIABLE, "per_minute": 0,
                      "base_url": f"http://127.0.0.1:{self._slack.server_port}/api/"},
            "mcp": {"per_minute": 0},
        }  # fmt: skip

    @property
    def servers(self) -> dict[str, Any]:
        return {name: self._tools.server(name) for name in ("email", "tasks", "crm", "chat")}

    def took(self) -> Counter[tuple[str, str]]:
        """How often each message arrived, by channel and Message-ID or key."""
        mails = self._mails.read_text().splitlines() if self._mails.exists() else []
        found = Counter(("smtp", _own_id(json.loads(mail)["content"])) for mail in mails)
        found.update(("mcp", call["key"]) for call in self._tools.answered())
        found.update({("slack", key): times for key, times in self._posts.copy().items()})
        return found

    def trace(self) -> object:
        """Something that changes when a message arrives."""
        return [
            file.stat().st_size if file.exists() else 0 for file in (self._mails, self._tools.log)
        ], self._posts.total()

    def close(self) -> None:
        self._mail.kill()
        self._mail.wait()
        self._slack.shutdown()
        self._slack.server_close()


def _own_id(content: str) -> str:
    found = re.findall(r"(?im)^message-id:\s*(<\S+>)", content)
    assert len(found) == 1
    return found[0]


def _slack(posts: Counter[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            time.sleep(LATENCY)
            posts[content["metadata"]["event_payload"]["idempotency_key"]] += 1
            body = json.dumps({"ok": True, "ts": f"{sum(posts.values())}.0", "channel": "C1"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def arrives_as(message: OutboxMessage) -> tuple[str, str]:
    """Under which name a peer knows a message."""
    key = message.idempotency_key
    return message.channel, message_id(key, Letterhead(SENDER, "")) if message.channel == "smtp" else key
