"""The language model's prompts: what it is told, by kind of text, language and factor."""

from dataclasses import replace

from orchestration_project.agents.model import prompt
from tests.agents.requests import request_for


def words(language: str = "en", factor: str = "usage_decline", promises: frozenset[str] = frozenset()) -> str:
    """The lists at the end of the prompt for a message."""
    asked = request_for(factor=factor)
    told = replace(asked, language=language, promises=promises, facts={**asked.facts, "factor": factor})
    return prompt(told).text.partition("Words for all parts\n")[2]


def test_a_message_is_asked_for_with_the_words_of_its_language_and_factor() -> None:
    assert " fell " in words() and " invoice " not in words()
    assert " invoice " in words(factor="payment_issues") and " fell " not in words(factor="payment_issues")
    assert " nutzung " in words("de") and " fell " not in words("de")


def test_what_may_be_asked_is_told_apart_from_what_may_be_stated() -> None:
    stated, _, asked = words().partition("More words for a question\n")
    assert " could " in asked and " could " not in stated
    listed = [set(each.partition("Phrases:")[0].split()) for each in (stated, asked)]
    assert not listed[0] & listed[1]


def test_words_of_a_promise_are_told_where_the_play_allows_it() -> None:
    assert " discount " in words(promises=frozenset({"discount"})) and " discount " not in words()


def test_a_prompt_has_another_version_where_it_has_other_words() -> None:
    versions = {prompt(request_for(kind=kind)).version for kind in ("outreach", "narrative", "actions")}
    german = replace(request_for(), language="de")
    assert len(versions | {prompt(german).version}) == 4
