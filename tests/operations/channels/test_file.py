"""File: one file or line for each key, whoever sends it, how often and whatever is killed."""

import json
import multiprocessing
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from orchestration_project.operations.channel import Message, PermanentFailure, TransientFailure
from orchestration_project.operations.channels.file import LISTS, File


@pytest.fixture
def file(tmp_path: Path, head: Any, now: Any) -> File:
    return File(tmp_path / "outbox", head, now)


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "outbox" / LISTS[kind]).read_text(encoding="utf-8").splitlines()]


def test_an_email_is_a_file_named_by_its_key_and_the_receipt_has_its_message_id(
    file: File, message: Any, tmp_path: Path
) -> None:
    receipt = file.send(message(subject="Grüße"))
    (found,) = (tmp_path / "outbox").iterdir()
    mail = message_from_bytes(found.read_bytes(), policy=policy.default)
    assert (found.name, mail["Subject"], mail["Message-ID"]) == ("k1.eml", "Grüße", receipt.external_id)


@pytest.mark.parametrize("kind", LISTS)
def test_other_messages_are_lines_of_json(file: File, message: Any, tmp_path: Path, kind: str) -> None:
    file.send(message(kind, to="team:ä"))
    (line,) = lines(tmp_path, kind)
    assert (line["idempotency_key"], line["recipient"], line["at"]) == ("k1", "team:ä", "2026-11-25T08:30:00+00:00")
    assert line["payload"] == message(kind).payload


@pytest.mark.parametrize("kind", ["email", *LISTS])
def test_a_key_that_is_sent_again_changes_nothing(
    file: File, message: Any, tmp_path: Path, kind: str, head: Any, now: Any
) -> None:
    first = file.send(message(kind))
    before = {each.name: each.read_bytes() for each in (tmp_path / "outbox").iterdir()}
    another = File(tmp_path / "outbox", head, now)
    assert file.send(message(kind, text="another", body="another")) == another.send(message(kind)) == first
    assert {each.name: each.read_bytes() for each in (tmp_path / "outbox").iterdir()} == before


@pytest.mark.parametrize("key", ["../../evil", "a/b", "", "CON:1", "x" * 300, ".hidden", "ключ", "a\nb"])
def test_a_key_is_never_a_path(file: File, message: Any, tmp_path: Path, key: str) -> None:
    file.send(message(key=key))
    (found,) = (tmp_path / "outbox").iterdir()
    assert found.suffix == ".eml" and len(found.stem) == 64
    assert list(tmp_path.iterdir()) == [tmp_path / "outbox"]


def test_half_a_line_that_a_killed_process_left_is_written_anew(file: File, message: Any, tmp_path: Path) -> None:
    file.send(message("task", key="k1", body="long " * 100))
    tasks = tmp_path / "outbox" / LISTS["task"]
    whole = tasks.read_bytes()
    tasks.write_bytes(whole + whole[:-10])
    file.send(message("task", key="k2"))
    assert [line["idempotency_key"] for line in lines(tmp_path, "task")] == ["k1", "k2"]


def test_a_list_that_somebody_emptied_begins_anew(file: File, message: Any, tmp_path: Path) -> None:
    for key in ("k1", "k2"):
        file.send(message("task", key=key))
    (tmp_path / "outbox" / LISTS["task"]).unlink()
    file.send(message("task", key="k1"))
    assert [line["idempotency_key"] for line in lines(tmp_path, "task")] == ["k1"]


def test_a_list_that_was_damaged_by_hand_is_named_and_left_alone(
    message: Any, tmp_path: Path, head: Any, now: Any
) -> None:
    tasks = tmp_path / "outbox" / LISTS["task"]
    for damage in ("no message\n", "[]\n", "{}\n"):
        tasks.parent.mkdir(exist_ok=True)
        tasks.write_text(damage)
        with pytest.raises(TransientFailure, match="has a line that is no message"):
            File(tmp_path / "outbox", head, now).send(message("task"))
        assert tasks.read_text() == damage


def _send_all(folder: Path, head: Any, now: Any, messages: list[Message], ready: Any) -> None:
    file = File(folder, head, now)
    for each in messages:
        ready.wait()
        file.send(each)


def test_processes_that_send_at_once_leave_one_of_each(message: Any, tmp_path: Path, head: Any, now: Any) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(3)
    same = [message(kind, key=f"k{n}") for n in range(20) for kind in ("email", "task")]
    own = [[message("task", key=f"{who}-{n}", body="x" * who) for n in range(20)] for who in range(3)]
    told = [(tmp_path / "outbox", head, now, same + each, ready) for each in own]
    workers = [context.Process(target=_send_all, args=each) for each in told]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert [each.exitcode for each in workers] == [0, 0, 0]
    sent = [f"{who}{n}" for who in ("k", "0-", "1-", "2-") for n in range(20)]
    assert sorted(line["idempotency_key"] for line in lines(tmp_path, "task")) == sorted(sent)
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 20
    assert list((tmp_path / "outbox").glob(".*")) == []


def test_a_folder_that_cannot_be_written_is_transient_and_an_unknown_kind_is_not(
    message: Any, tmp_path: Path, head: Any, now: Any, file: File
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(TransientFailure, match="can't be written"):
        File(tmp_path / "taken", head, now).send(message())
    with pytest.raises(PermanentFailure, match="of kind 'fax'"):
        file.send(message("fax"))
