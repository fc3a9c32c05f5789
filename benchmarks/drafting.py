"""Drafting: how long 1,000 messages take by template and by a model that needs 300 ms, and what a second run asks."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measures import Row, row
from orchestration_project.agents import facts
from orchestration_project.agents.anthropic_model import Anthropic
from orchestration_project.agents.model import LanguageModel
from orchestration_project.agents.replies import Replies
from orchestration_project.agents.templates_model import Templates
from orchestration_project.agents.writer import Result, write
from orchestration_project.contracts.manifest import Play
from orchestration_project.domain.rules import FAMILIES
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home, LanguageModelSettings

CUSTOMERS, LATENCY_MS, CONCURRENCY = 1000, 300, 20
SERVER = Path(__file__).parent.parent / "tests" / "agents" / "messages_server.py"
KEY = "test-key"


def drafting(folder: Path) -> list[Row]:
    """1,000 messages, verified: by template, by a model one by one, by it in a batch, and once more."""
    people = [_person(n) for n in range(CUSTOMERS)]
    plays = manifest(Home(folder), HEALTH).roles["outreach_agent"].plays
    planned = [_planned(n, plays) for n in range(CUSTOMERS)]
    requests = [facts.outreach(person | plan, plays) for person, plan in zip(people, planned, strict=True)]
    strangers = facts.strangers(people)

    def timed(model: LanguageModel) -> tuple[float, Result]:
        began = time.perf_counter()
        result = write(requests, model, Templates(), strangers)
        return time.perf_counter() - began, result

    seconds, result = timed(Templates())
    rows = [row(f"{CUSTOMERS:,} by template", f"{seconds:.1f} s, {_verified(result)}", "5 s", seconds < 5)]
    for name, batch_from in (("one by one", CUSTOMERS + 1), ("in a batch", 1)):
        with _serving(folder) as url, Replies(folder / f"{batch_from}.db") as replies:
            settings = LanguageModelSettings(
                name="claude-test", base_url=url, concurrency=CONCURRENCY, batch_from=batch_from
            )
            seconds, result = timed(Anthropic(settings, replies, KEY))
            limit = ("20 s", seconds < 20) if name == "one by one" else ("", None)
            told = f"{seconds:.1f} s, {_verified(result)}, {len(result.failed)} failed"
            rows.append(
                row(f"{CUSTOMERS:,} by a model with {LATENCY_MS} ms, {CONCURRENCY} at once, {name}", told, *limit)
            )
            again = Anthropic(settings, replies, KEY)
            seconds, _ = timed(again)
            asked = again.spent.requests
            rows.append(row(f"{name}, a second run", f"{seconds:.1f} s, {asked} asked", "0 asked", not asked))
    return rows


def _verified(result: Result) -> str:
    return f"{sum(text.state == 'verified' for text in result.written):,} verified"


def _person(n: int) -> dict[str, Any]:
    """A customer as the lake would tell of it."""
    return {
        "customer_id": f"C{n:06d}", "name": f"Company {_word(n)} Ltd", "contact_name": f"Ana {_word(n + 7)}",
        "owner": f"Bo {_word(n % 9)}", "plan": ("starter", "growth")[n % 2], "renews_at": None,
        "language": ("en", "de", "fr")[n % 3], "timezone": "UTC", "tickets_30d": 2 + n % 7, "tickets_open": 1 + n % 5,
        "overdue_days": 3 + n % 40, "overdue_amount": 100.0 + n, "score": 4 + n % 4, "no_score_reason": None,
        "band": "medium", "factors": [], "contributions": {FAMILIES[n % 4]: 2.0}, "decline_pct": 20.0 + n % 70,
        "days_since_use": n % 20, "active_days_30d": n % 29,
    }  # fmt: skip


def _planned(n: int, plays: Mapping[str, Play]) -> dict[str, str]:
    """What a plan would say: each play, and each of its templates, in turn."""
    name = list(plays)[n % len(plays)]
    templates = plays[name].templates
    return {"play": name, "variant": templates[n // len(plays) % len(templates)]}


def _word(n: int) -> str:
    """A name for a number, of letters."""
    return "".join("bdfgklmnprst"[int(digit, 12)] + "aeiou"[n % 5] for digit in f"{n:04d}").capitalize()


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    told = json.dumps({"latency_ms": LATENCY_MS})
    command = [sys.executable, str(SERVER), told, str(folder / "answered.jsonl")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
