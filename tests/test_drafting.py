"""Drafting that is killed: no request that the model answered is made again, one by one or in batches."""

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration_project.agents.anthropic_model import Anthropic
from orchestration_project.agents.model import Answer, Narrative
from orchestration_project.agents.replies import Replies, forget
from orchestration_project.agents.templates_model import Templates
from orchestration_project.agents.writer import Written, write
from orchestration_project.domain.claims import Strangers
from orchestration_project.drafting import of_both
from orchestration_project.settings import LanguageModelSettings
from tests.agents.requests import request_for

KILLS = 50 if os.environ.get("STRESS") == "1" else 5
REQUESTS = [request_for(f"C{n}", decline_pct=20 + n) for n in range(40)]


def _model(url: str, replies: Replies, batch_from: int) -> Anthropic:
    settings = LanguageModelSettings(name="claude-test", base_url=url, batch_from=batch_from, concurrency=4)
    return Anthropic(settings, replies, "test-key")


def _draft(folder: Path, url: str, batch_from: int) -> None:
    """Drafts in a process of its own, and says when it is about to begin and done."""
    from orchestration_project.agents import anthropic_model

    anthropic_model.FIRST_LOOK_SECONDS = 0.02
    with Replies(folder / "replies.db") as replies:
        (folder / "marker").write_text("begun")
        write(REQUESTS, _model(url, replies, batch_from), Templates(), Strangers())
    (folder / "marker").write_text("done")
    os.kill(os.getpid(), signal.SIGKILL)


def _kept(folder: Path, url: str) -> tuple[set[str], set[str]]:
    """The customers whose text is on disk, and the names of the requests whose batch is."""
    with Replies(folder / "replies.db") as replies:
        model = _model(url, replies, 1)
        texts = {each.customer_id for each in REQUESTS if replies.get(model._question(each)) is not None}
        return texts, {model._name_of(each) for each in REQUESTS if replies.get(model._place(each)) is not None}


def written(text: str, by: str, problems: tuple[str, ...] = (), failure: str | None = None) -> Written:
    output = Narrative(text=text)
    return Written(REQUESTS[0], output, by, "review" if problems else "verified", problems, failure)


def test_an_alert_is_a_models_where_either_of_its_texts_is_and_unsure_where_either_is() -> None:
    template, model = written("a", "template narrative.en-1", failure="529"), written("b", "claude-test actions-1")
    both = of_both(template, model)
    assert (both["written_by"], both["state"], both["model_failure"]) == ("claude-test actions-1", "verified", "529")
    wrong = written("c", "template actions.en-1", ("number 40 is no fact",))
    both = of_both(template, wrong)
    assert (both["written_by"], both["state"], both["problems"]) == (
        "template narrative.en-1", "review", ["number 40 is no fact"],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("batch_from", [10_000, 5], ids=["one by one", "in batches"])
def test_no_request_that_was_answered_is_made_again_whenever_drafting_is_killed(
    messages_server: Any, tmp_path: Path, batch_from: int
) -> None:
    """An answer counts once it is kept; what a kill caught between answer and file is asked for once more.

    In batches, every fourth entry fails and is asked for by itself.
    """
    failing = {f'"C{n}"': "errored" for n in range(0, 40, 4)}
    server = messages_server(latency_ms=40, batch_polls=3, behaviours=failing if batch_from == 5 else {})
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["orchestration_project.agents.anthropic_model", "tests.agents.requests"])
    marker, chance = tmp_path / "marker", random.Random(7)
    texts: set[str] = set()
    batched: set[str] = set()
    caught = 0
    for _ in range(KILLS):
        marker.unlink(missing_ok=True)
        before = len(server.answered())
        drafting = context.Process(target=_draft, args=(tmp_path, server.url, batch_from))
        drafting.start()
        while not marker.exists():
            time.sleep(0.002)
        drafting.join(chance.uniform(0, 0.8))
        drafting.kill()
        drafting.join()
        # What was under way is still answered by the server, to nobody.
        time.sleep(0.2)
        asked = server.answered()[before:]
        singles = [
            json.loads(each["messages"][0]["content"][8:-9])["customer_id"] for each in asked if "batch" not in each
        ]
        assert not set(singles) & texts
        assert not {name for each in asked if "batch" in each for name in each["asked"]} & batched
        texts, batched = _kept(tmp_path, server.url)
        caught += bool(texts or batched) and len(texts) < len(REQUESTS)
        if marker.read_text() == "done":
            assert len(texts) == len(REQUESTS)
            forget(tmp_path / "replies.db")
            texts, batched = set(), set()
    assert caught, "no kill came in the middle"
    with Replies(tmp_path / "replies.db") as replies:
        answers = _model(server.url, replies, 10_000).write(REQUESTS)
    assert all(isinstance(each, Answer) for each in answers.values())
