"""Replies: kept under what was asked, for good, whoever is killed."""

import multiprocessing
import signal
from pathlib import Path

from orchestration_project.agents.replies import Replies, asked, forget


def test_a_key_is_the_same_for_the_same_question_only() -> None:
    assert asked(tool="a", arguments={"x": 1, "y": 2}) == asked(arguments={"y": 2, "x": 1}, tool="a")
    assert asked(tool="a", arguments={"x": 1}) != asked(tool="a", arguments={"x": "1"})


def test_a_reply_is_there_for_whoever_opens_the_file_next(tmp_path: Path) -> None:
    with Replies(tmp_path / "folder" / "replies.db") as replies:
        replies.keep("k", {"rows": [1, None, "ü"]}, "C1")
    with Replies(tmp_path / "folder" / "replies.db") as again:
        assert again.get("k") == {"rows": [1, None, "ü"]}
        assert again.get("other") is None
        assert len(again) == 1


def test_the_first_reply_to_a_question_stays(tmp_path: Path) -> None:
    with Replies(tmp_path / "replies.db") as replies:
        replies.keep("k", 1)
        replies.keep("k", 2)
        assert replies.get("k") == 1


def _keep_and_die(file: Path) -> None:
    replies = Replies(file)
    replies.keep("k", "there")
    signal.raise_signal(signal.SIGKILL)


def test_what_was_kept_survives_a_kill_at_the_next_moment(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_keep_and_die, args=(tmp_path / "replies.db",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with Replies(tmp_path / "replies.db") as replies:
        assert replies.get("k") == "there"


def test_a_forgotten_file_is_gone_with_all_beside_it(tmp_path: Path) -> None:
    Replies(tmp_path / "replies.db").keep("k", 1)
    forget(tmp_path / "replies.db")
    assert list(tmp_path.iterdir()) == []
