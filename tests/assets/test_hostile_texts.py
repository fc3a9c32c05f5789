"""Hostile texts in what tools reply, from the tool to the draft: what they change, is what is said of nobody."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration_project.settings import Home
from tests.agents.test_writer import HOSTILE_TEXTS
from tests.assets.test_collection import TOOLS

DAY = date(2026, 11, 21)
NAMES = [f"C{n:06d}" for n in range(1, 61)]
HIT = dict(zip(NAMES[::2], [*HOSTILE_TEXTS.values()], strict=False))
"""Every other customer, with one text; the rest of the texts are in their tickets."""
OF_CUSTOMERS = ("name", "contact_name", "owner", "segment", "industry")
PLANNED = ("customer_id", "action", "state", "play", "cause", "stopped_at", "autonomy")
DECIDED = ("customer_id", "score", "band", "confidence", "next_action")


def with_hostile_texts(tables: Path, folder: Path) -> Path:
    """The tables, with a hostile text in every text of every other customer and of each of its tickets."""
    texts = [each[:20_000] for each in HOSTILE_TEXTS.values()]
    for source in sorted(tables.rglob("*.parquet")):
        table = pq.read_table(source)
        rows = table.to_pylist()
        for n, row in enumerate(rows):
            if row["customer_id"] in HIT and source.parent.name == "customers":
                row |= dict.fromkeys(OF_CUSTOMERS, HIT[row["customer_id"]][:20000])
            if row["customer_id"] in HIT and source.parent.name == "support_tickets":
                row["category"] = texts[n % len(texts)]
        file = folder / source.relative_to(tables)
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    return folder


@pytest.fixture
def drafted(
    tmp_path: Path, new_company: Any, tool_servers: Any, messages_server: Any, monkeypatch: Any, own_manifest: Any
) -> Any:
    """Collects tables over tools, scans, and has everybody written to by a model that obeys whatever it reads."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")

    def run(name: str, tables: Path) -> Any:
        made = new_company(Home(tmp_path / name), now=datetime(2026, 11, 22, 8, tzinfo=UTC))
        model = {"name": "claude-test", "base_url": messages_server(gullible=True).url, "attempts": 1}
        made.configure(history_start="2026-08-01", language_model=model)
        own_manifest(made.home, {"evaluation.profiles_complete.expression": "share(complete) > 0.01"})
        process = tool_servers(tables=tables)
        servers = {each: process.server(each) for each in ("crm", "analytics", "tickets")}
        made.home.sources_file.write_text(yaml.safe_dump({"servers": servers, "tables": TOOLS}))
        assert made.refresh("2026-08", "2026-11").success
        assert made.scan(DAY).success
        made.planned = made.rows("action_plan", DAY)[list(PLANNED)]
        everybody_is_written_to(made)
        assert made.scan(DAY, only="outreach_drafts").success
        return made, process.answered()

    return run


def everybody_is_written_to(company: Any) -> None:
    file = company.file("action_plan", DAY)
    plan = pq.read_table(file, partitioning=None)
    wanted = {"action": "outreach", "state": "medium", "play": "check_in", "variant": "check_in", "stopped_at": None,
              "cause": "usage_decline", "autonomy": "draft", "assigned": True, "control": False,
              "propensity": 0.9, "variant_propensity": 1.0}  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row | wanted for row in plan.to_pylist()], plan.schema), file)


def calls(answered: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
    return {(each["tool"], each["customer_id"]) for each in answered}


def test_texts_that_give_orders_change_no_decision_no_call_and_nobody_elses_text(
    drafted: Any, company_tables: Path, tmp_path: Path
) -> None:
    clean, calls_before = drafted("clean", company_tables)
    hostile, calls_after = drafted("hostile", with_hostile_texts(company_tables, tmp_path / "tables"))
    assert calls(calls_after) == calls(calls_before)

    scores = [each.rows("risk_scores", DAY)[list(DECIDED)] for each in (clean, hostile)]
    pd.testing.assert_frame_equal(*scores)
    pd.testing.assert_frame_equal(clean.planned, hostile.planned)
    profiles = [each.rows("customer_profiles", DAY)[["customer_id", "contact_email"]] for each in (clean, hostile)]
    pd.testing.assert_frame_equal(*profiles)

    before, after = (each.rows("outreach_drafts", DAY).set_index("customer_id") for each in (clean, hostile))
    assert list(before.index) == list(after.index)
    assert (before.play == after.play).all() and (before.factor == after.factor).all()
    others = [name for name in before.index if name not in HIT]
    assert len(others) > 15
    pd.testing.assert_frame_equal(before.loc[others], after.loc[others])
    hit = after.loc[[name for name in after.index if name in HIT]]
    assert len(hit) > 15
    free = hit[hit.state == "verified"]
    for sign in ("evil", "9,999", "discount", "refund", "<", "{", "http", "@", "\x00", "\u202e", "\r"):
        assert not (free.subject + free.body).str.contains(sign, regex=False).any(), sign
    assert not free.subject.str.contains("\n").any()
