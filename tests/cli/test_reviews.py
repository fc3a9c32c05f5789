"""`reviews`: what waits, what there is to know about it, and what people decide, through the real command."""

import stat
import sys
from datetime import datetime, timedelta

import pytest

from orchestration_project.operations.models import Action, AuditEntry, OutboxMessage, ReviewItem


@pytest.fixture(autouse=True)
def _ann(monkeypatch):
    monkeypatch.setenv("ORCHESTRATE_USER", "ann")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """An editor that runs a line of Python on `text`, and keeps what it saw."""

    def use(change: str, code: int = 0):
        script = tmp_path / "editor.py"
        script.write_text(
            "import sys, pathlib\nfile = pathlib.Path(sys.argv[-1])\ntext = file.read_text()\n"
            f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(str(file) + '\\n' + text)\n{change}\n"
            f"file.write_text(text)\nsys.exit({code})\n"
        )
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script} --wait")
        return tmp_path / "seen"

    return use


def listed(asked, *arguments) -> list[str]:
    return [each["id"] for each in asked.shell("reviews", "list", "--json", *arguments).json["items"]]


def test_a_home_where_nothing_was_asked_has_an_empty_list_and_gets_no_store(small):
    assert small("reviews", "list", "--json").json == {"items": [], "next": None}
    assert not (small.home / "operations.db").exists()


def test_without_a_home_it_is_said_how_to_make_one(shell):
    for command in (("list",), ("show", "a"), ("approve", "a")):
        assert shell("reviews", *command).sentence.startswith(f"{shell.home} is no home yet; run `orchestrate init")
    assert not shell.home.exists()


def test_the_list_shows_the_most_urgent_first_with_deadline_and_who_is_at_it(asked):
    later = asked.draft("C1", title="Later [red]one[/red]\x1b[31m")
    first = asked.draft("C2", title="First", priority=1)
    asked.shell("reviews", "claim", later)
    assert listed(asked) == [first, later]
    out = asked.shell("reviews", "list").out
    assert out.index("First") < out.index("Later [red]one[/red]")
    assert "\x1b" not in out
    deadline = asked.now + timedelta(hours=24, seconds=50)
    assert f"{deadline:%Y-%m-%d %H:%M} UTC" in out
    assert "(in 1 day)" in " ".join(out.split())
    for word in (later[:8], "customer_success", "team:cs", "approval", "C1", "ann"):
        assert word in out


def test_the_list_can_be_narrowed_and_read_page_by_page(asked):
    ids = [asked.draft(f"C{n}") for n in range(5)]
    other = asked.draft("C7", queue="billing", owner="bo@example.com")
    assert listed(asked, "--queue", "billing") == listed(asked, "--owner", "bo@example.com") == [other]
    asked.shell("reviews", "reject", other, "--reason", "no")
    assert listed(asked, "--state", "rejected") == [other]
    found, after = [], ()
    while True:
        page = asked.shell("reviews", "list", "--limit", 2, "--json", *after).json
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        after = ("--after", page["next"][:12])
    assert sorted(found) == sorted(ids)
    assert f"reviews list --after {found[1][:8]}" in asked.shell("reviews", "list", "--limit", 2).out


def test_an_item_shows_everything_that_a_decision_needs(asked):
    context = {"score": 6.25, "factors": ["usage_decline", "payment_issues"], "facts": {"decline_pct": 40},
               "problems": ["number 41 is no fact"], "sentiment": "cold"}  # fmt: skip
    name = asked.draft(context=context, body="Dear Ann,\u202e\x1b[2J\n\nwe miss you.")
    out = asked.shell("reviews", "show", name[:6]).out
    for words in ("A message to Acme", "Score 6.25, factors usage_decline, payment_issues", "decline_pct", "40",
                  "Problem in the text: number 41 is no fact", "Goes to ann@example.com as email by file",
                  "Subject: Hello", "Dear Ann,<U+202E><U+001B>[2J", "we miss you.", "sentiment", "cold",
                  "Action: outreach, play check_in, cause usage_decline, in_review", "review asked for",
                  f"orchestrate reviews approve {name[:8]}"):  # fmt: skip
        assert words in out, words
    told = asked.shell("reviews", "show", name, "--json").json
    assert told["context"]["score"] == 6.25
    assert told["action"]["play"] == "check_in"
    assert [each["what"] for each in told["history"]] == ["review asked for"]


def test_a_grouped_escalation_shows_its_cases(asked):
    cases = [{"customer_id": f"C{n}", "attempts": 3} for n in range(3)]
    name = asked.question(reason_code="tool_failure", title="crm does not answer", context={"cases": cases})
    out = asked.shell("reviews", "show", name).out
    assert "Cases: 3" in out
    assert all(f"C{n}" in out for n in range(3))
    assert f"orchestrate reviews resolve {name[:8]} --home {asked.shell.home} --reason" in out


def test_an_identifier_that_fits_no_item_or_several_is_one_sentence(asked):
    names = [asked.question(f"Q{n}") for n in range(17)]
    shared = next(each[0] for each in names if sum(other[0] == each[0] for other in names) > 1)
    assert asked.shell("reviews", "show", shared).sentence == (
        f"Several review items begin with '{shared}'; write more of the identifier."
    )
    for none in ("zz", "", "%", "_"):
        assert asked.shell("reviews", "approve", none).sentence.startswith(f"There is no review item {none!r};")


def test_what_is_approved_goes_out_with_the_next_delivery(asked):
    name = asked.draft()
    outcome = asked.shell("reviews", "approve", name[:8], "--reason", "fine")
    assert outcome.code == 0
    assert "Approved." in outcome.err
    item = asked.row(ReviewItem, name)
    assert (item.state, item.decided_by, item.decision_reason) == ("approved", "ann", "fine")
    assert asked.row(Action, item.action_id).state == "approved"
    assert asked.shell("reviews", "approve", name).sentence.startswith("This item is approved already by ann at ")
    assert "Nothing is left to decide." in asked.shell("reviews", "show", name).out


def test_who_decides_is_named_by_option_then_variable_then_login(asked, monkeypatch):
    first, second, third = (asked.draft(f"C{n}") for n in range(3))
    asked.shell("reviews", "approve", first, "--as-user", "bo")
    asked.shell("reviews", "approve", second)
    monkeypatch.delenv("ORCHESTRATE_USER")
    monkeypatch.setenv("LOGNAME", "carl")
    asked.shell("reviews", "approve", third)
    assert [asked.row(ReviewItem, each).decided_by for each in (first, second, third)] == ["bo", "ann", "carl"]
    assert asked.shell("reviews", "approve", first, "--as-user", "a\nb").sentence.startswith("'a\\nb' is no name")


def test_what_somebody_else_has_is_refused_and_they_are_named(asked):
    name = asked.draft()
    taken = asked.shell("reviews", "claim", name, "--as-user", "bo", "--minutes", 5)
    assert taken.err.startswith(f"bo has {name[:8]} until ")
    for decide in (("approve",), ("edit", "--subject", "x"), ("reject", "--reason", "x"), ("claim",),
                   ("reassign", "--to", "ann", "--reason", "x")):  # fmt: skip
        sentence = asked.shell("reviews", decide[0], name, *decide[1:]).sentence
        assert sentence.startswith("This is being decided by bo until "), sentence
    assert asked.row(ReviewItem, name).state == "open"
    assert asked.shell("reviews", "approve", name, "--as-user", "bo").code == 0


def test_what_is_rejected_is_not_sent_and_needs_a_reason(asked):
    name = asked.draft()
    assert asked.shell("reviews", "reject", name).code == 2
    assert asked.shell("reviews", "reject", name, "--reason", "they called", "--json").json["state"] == "rejected"
    item = asked.row(ReviewItem, name)
    assert item.decision_reason == "they called"
    assert asked.row(Action, item.action_id).state == "rejected"


def test_an_item_that_is_given_to_somebody_is_free_for_them_and_among_theirs(asked):
    name = asked.draft()
    asked.shell("reviews", "reassign", name, "--to", "bo@example.com", "--queue", "billing", "--reason", "hers")
    assert listed(asked, "--owner", "bo@example.com", "--queue", "billing") == [name]
    assert asked.shell("reviews", "approve", name, "--as-user", "bo@example.com").code == 0


def test_a_text_is_edited_in_the_editor_and_goes_out_as_it_is_then(asked, editor):
    name = asked.draft()
    seen = editor("text = text.replace('miss', 'value').replace('Hello', 'Hello Ann')")
    outcome = asked.shell("reviews", "edit", name, "--reason", "warmer")
    assert outcome.code == 0, outcome
    file, *shown = seen.read_text().splitlines()
    assert shown == ["Subject: Hello", "", "We miss you.", "", "Call us."]
    item = asked.row(ReviewItem, name)
    assert (item.state, item.decided_subject, item.decided_body) == (
        "edited", "Hello Ann", "We value you.\n\nCall us.",
    )  # fmt: skip
    assert item.body == "We miss you.\n\nCall us."
    assert f"{item.edit_distance:.0%} of the words changed" in outcome.err
    assert not (asked.shell.home / file).exists()
    out = asked.shell("reviews", "show", name).out
    assert "As edited: " in out
    assert "We value you." in out


def test_while_a_text_is_in_the_editor_nobody_else_decides(asked, editor, tmp_path):
    name = asked.draft()
    editor(f"""
import subprocess, os
ran = subprocess.run([sys.executable, "-m", "orchestration_project.cli", "reviews", "approve", {name!r}, "--as-user",
    "bo", "--home", {str(asked.shell.home)!r}], capture_output=True, text=True)
pathlib.Path({str(tmp_path / "bo")!r}).write_text(ran.stderr)
text = text.replace("miss", "value")""")
    assert asked.shell("reviews", "edit", name).code == 0
    assert (tmp_path / "bo").read_text().startswith("This is being decided by ann until ")
    assert asked.row(ReviewItem, name).decided_by == "ann"


REFUSED = {
    "unchanged": ("pass", "The text is as it was; approve the item, or change something."),
    "empty": ("text = 'Subject: Hello\\n\\n \\n'", "The new text is empty; reject the item if nothing is to be sent."),
    "without subject": ("text = 'Hello'", "The first line must begin with `Subject:`, and the text follows after an "
                        "empty line."),
    "unseen": ("text += 'x\\u200bx'", "The new text holds the character U+200B, which nobody sees; remove it."),
    "encoded": ("text = 'Subject: =?utf-8?b?QQ==?=\\n\\nx'", "The new subject holds '=?', which mail programs take for "
                "encoded text; remove it."),
    "long": ("text = text.replace('Hello', 'x' * 300)", "The new subject is longer than 250 characters; shorten it."),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_text_that_can_not_go_out_is_refused_and_kept(asked, editor, case):
    name = asked.draft()
    change, sentence = REFUSED[case]
    seen = editor(change)
    told = asked.shell("reviews", "edit", name).sentence
    assert asked.row(ReviewItem, name).state == "open"
    file = asked.shell.home / seen.read_text().splitlines()[0]
    if case == "unchanged":
        assert told == sentence
        assert not file.exists()
        return
    assert told == f"{sentence} What you wrote is in {file}."
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()


def test_an_editor_that_fails_or_is_none_changes_nothing(asked, editor, monkeypatch):
    name = asked.draft()
    editor("text = 'Subject: x\\n\\ny'", code=3)
    assert (
        " ended with 3, so nothing was changed. What you wrote is in " in asked.shell("reviews", "edit", name).sentence
    )
    monkeypatch.setenv("VISUAL", "no-such-editor -w")
    assert "The editor 'no-such-editor' can't be started" in asked.shell("reviews", "edit", name).sentence
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR")
    assert asked.shell("reviews", "edit", name).sentence == (
        "Neither VISUAL nor EDITOR names an editor; export one, for example EDITOR=nano, or pass --subject and "
        "--body-file."
    )
    assert asked.row(ReviewItem, name).state == "open"


def test_scripts_edit_by_options(asked, tmp_path):
    first, second = asked.draft("C1"), asked.draft("C2")
    file = tmp_path / "body.txt"
    file.write_bytes("\ufeffAnother text,\r\nof two lines.\r\n".encode())
    told = asked.shell("reviews", "edit", first, "--body-file", file, "--json").json
    assert (told["decided_subject"], told["decided_body"]) == ("Hello", "Another text,\nof two lines.")
    told = asked.shell("reviews", "edit", second, "--subject", "Hi", "--json").json
    assert (told["decided_subject"], told["decided_body"]) == ("Hi", "We miss you.\n\nCall us.")
    assert 0 < told["edit_distance"] < 1
    absent = tmp_path / "absent"
    assert asked.shell("reviews", "edit", second, "--body-file", absent).sentence.startswith(f"{absent}: No such file")
    file.write_bytes(b"\xff\xfe")
    assert asked.shell("reviews", "edit", second, "--body-file", file).sentence == (
        f"{file} is not UTF-8 text; save it as UTF-8."
    )


def test_an_item_without_text_or_action_can_not_be_edited_or_approved_but_resolved(asked, editor):
    name = asked.question()
    editor("text = 'Subject: x\\n\\ny'")
    assert asked.shell("reviews", "edit", name).sentence == (
        "This item has no text that could be edited; approve, reject or resolve it."
    )
    assert "is about no action that could be approved; resolve it." in asked.shell("reviews", "approve", name).sentence
    assert asked.shell("reviews", "resolve", name, "--reason", "the CRM is back").code == 0
    assert asked.row(ReviewItem, name).state == "resolved"
    draft = asked.draft()
    assert "approve, edit or reject it." in asked.shell("reviews", "resolve", draft, "--reason", "x").sentence


@pytest.mark.parametrize(("answer", "state"), [("sent", "sent"), ("resend", "pending"), ("give_up", "failed")])
def test_a_person_says_what_became_of_a_message(asked, answer, state):
    name = asked.uncertain()
    assert "resolve" in asked.shell("reviews", "show", name).out
    assert asked.shell("reviews", "resolve", name, "--reason", "x").sentence.startswith(
        "This item asks what became of "
    )
    assert asked.shell("reviews", "approve", name).code == 1
    told = asked.shell("reviews", "resolve", name, "--as", answer, "--reason", "looked").err
    assert f"The message is {state}." in told
    assert [row.state for row in asked.rows(OutboxMessage)] == [state]
    assert asked.row(ReviewItem, name).state == "resolved"


def test_every_decision_is_in_the_audit_trail_with_who_and_why(asked):
    name = asked.draft()
    asked.shell("reviews", "reject", name, "--reason", "they called")
    found = [(each.who, each.what, each.why) for each in asked.rows(AuditEntry) if each.entity_id == name]
    assert found[1:] == [("ann", "review claimed", None), ("ann", "review rejected", "they called")]


def test_an_item_that_has_expired_can_not_be_decided(asked):
    name = asked.draft(expires_at=asked.now)
    assert " it has expired." in asked.shell("reviews", "approve", name).sentence


def test_a_database_that_is_none_is_one_sentence(asked):
    (asked.shell.home / "operations.db").write_bytes(b"no database" * 999)
    sentence = asked.shell("reviews", "list").sentence
    assert sentence.startswith("The operations database ")
    assert "not a database" in sentence


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "now"), (29, "now"), (90, "in 2 minutes"), (3600, "in 1 hour"), (-7200, "2 hours ago"),
     (86400 * 3, "in 3 days"), (-60, "1 minute ago"), (86399, "in 1 day")],
)  # fmt: skip
def test_distances_are_told_in_the_largest_unit_that_fits(seconds, told):
    from orchestration_project.cli.console import distance

    now = datetime.fromisoformat("2026-11-23T08:00:00+00:00")
    assert distance(now + timedelta(seconds=seconds), now) == told
