"""`erase` and `prune`: what they print, ask and refuse."""

import json

import pytest


@pytest.fixture
def known(small):
    """The small home, its two customers read and scanned, one of them with a name."""
    content = (
        "customer_id,signed_up_at,plan,name,contact_email\nC0001,2024-01-01,pro,Initech Works,ann@initech.example\n"
    )
    (small.home / "customers.csv").write_text(content + "C0002,2024-01-01,pro,Other,bob@other.example\n")
    assert small("scan", "--json").code in (0, 1)
    assert (small.home / "lake" / "customers").exists()
    return small


def test_erasing_tells_what_was_done_and_what_is_kept_and_names_nobody(known):
    done = known("erase", "C0001", "--reason", "Initech Works asked", "--yes")
    assert done.code == 0, done
    printed = done.out + done.err
    assert "Nothing is left. Kept by law:" in printed
    assert "erase them there too" in printed
    assert not [text for text in ("C0001", "Initech", "ann@") if text in printed]


def test_the_result_is_json_and_a_second_scan_leaves_the_customer_out(known):
    told = known("erase", "C0001", "--reason", "asked", "--yes", "--json").json
    assert told["left"] == []
    assert told["customer"].startswith("erased-")
    assert told["partitions"] >= 1
    assert told["sources"] == ["customers"]
    known("scan", "--json")
    assert "C0001" not in json.dumps(known("erase", "C0001", "--reason", "again", "--yes", "--json").json)


def test_what_is_left_is_one_sentence_and_exit_code_1(known):
    (known.home / "notes.txt").write_text("call Initech Works")
    sentence = known("erase", "C0001", "--reason", "asked", "--yes").sentence
    assert sentence == (
        "Erased, but something of the customer is left in notes.txt; remove it there and run the same command again."
    )
    again = known("erase", "C0001", "--reason", "asked", "--yes", "--json")
    assert (again.code, json.loads(again.out)["left"]) == (1, ["notes.txt"])


def test_nobody_to_ask_is_a_refusal_and_so_is_an_unknown_customer(known):
    assert known("erase", "C0001", "--reason", "asked").sentence.endswith("nothing was erased; say --yes.")
    assert "Customer 'C9' is not known in" in known("erase", "C9", "--reason", "asked", "--yes").sentence
    assert not (known.home / "erased.jsonl").exists()


def test_pruning_tells_what_would_go_and_then_is_a_run(known):
    known.settings(retention={"lake_days": 1}, history_start="2025-01-01")
    would = known("prune", "--dry-run", "--json").json
    assert would["dry_run"] is True
    done = known("prune", "--json").json
    assert done == would | {"dry_run": False}
    assert "Gone" in known("prune").out
