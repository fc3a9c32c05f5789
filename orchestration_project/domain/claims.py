"""Claims: what a text says that its facts don't, or promises what its play does not allow. Says why, never mends.

A text passes only where every number, date, name, plan and address in it is among the facts. What can't be told apart
from a false claim counts as one: a person looks, nothing is sent.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from orchestration_project.domain.promises import COMMITMENTS, DATED_TIMES, GIVING, PROMISES, RELATIVE_TIMES
from orchestration_project.domain.texts import scripts
from orchestration_project.domain.vocabulary import (
    COMMON_CAPITALS,
    CONTRACTED,
    FRACTIONS,
    GERMAN_NUMBER,
    LANGUAGES,
    NO_NUMBERS,
    NOBODY,
    NUMBER_WORDS,
    ONES,
    PLAN_WORDS,
    POLITE,
    SPEAKERS,
    TIERS,
    TITLES,
    TRIALS,
    WEEKDAYS,
)
from orchestration_project.domain.written_dates import written_dates

LONGEST_SUBJECT, LONGEST_BODY = 150, 4000
_ADDRESS = re.compile(
    r"https?://\S+|www\.\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b[a-z0-9-]+\.(?:com|net|org|io|co|de|fr|example|eu|ai|app)\b(?:/\S*)?"
    r"|\b\w+ ?[(\[]? ?(?:at|arobase) ?[)\]] ?\w+|[(\[](?:dot|punkt|point)[)\]]"
    r"|\b\w+ (?:dot|punkt) (?:com|net|org|de|io)\b"
    r"|(?<!\w)\+\d[\d ()/-]{6,}\d|\b0\d{2,4}[ /-]\d{3,}[\d -]*|\b\d{3}[ -]\d{3}[ -]\d{4}\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"<[a-z/!][^>]*>|\{\{|\}\}|\{%|\[[^\]]+\]\([^)]*\)|&#?\w+;", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:[.,'\u2019\u00a0\u202f ]\d{3})*(?:[.,]\d+)?(?![\w])|\d+(?:[.,]\d+)?")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_SENTENCE = re.compile(r"(?<=[.!?…:;])\s+|\n+")


@dataclass(frozen=True)
class Facts:
    """What a text may say: values as they are, dates as dates, and the promises that its play allows."""

    values: Mapping[str, object]
    promises: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()

    @cached_property
    def numbers(self) -> frozenset[float]:
        """Numbers among the facts."""
        found = {abs(float(v)) for v in self.values.values() if isinstance(v, int | float) and not isinstance(v, bool)}
        return frozenset(found)

    @cached_property
    def dates(self) -> frozenset[date]:
        """Dates among the facts."""
        days = (v.date() if isinstance(v, datetime) else v for v in self.values.values())
        return frozenset(day for day in days if isinstance(day, date))

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of names and other texts among the facts, folded."""
        texts = (v for v in self.values.values() if isinstance(v, str))
        return frozenset(folded(word) for text in texts for word in _WORD.findall(text))

    @cached_property
    def texts(self) -> frozenset[str]:
        """Texts among the facts, folded."""
        return frozenset(folded(v) for v in self.values.values() if isinstance(v, str))


@dataclass(frozen=True)
class Strangers:
    """Names that belong to other customers, and the plans that are sold: none of them may be in a text by chance."""

    names: frozenset[str] = frozenset()
    plans: frozenset[str] = frozenset()
    _folded: frozenset[tuple[str, ...]] = field(init=False, default=frozenset(), compare=False)
    _lengths: Mapping[str, frozenset[int]] = field(init=False, default_factory=dict, compare=False)
    """By the first word of a name, how many words such names have."""

    def __post_init__(self) -> None:
        names = {tuple(folded(word) for word in _WORD.findall(name)) for name in self.names} - {()}
        lengths: dict[str, set[int]] = {}
        for words in names:
            lengths.setdefault(words[0], set()).add(len(words))
        object.__setattr__(self, "_folded", frozenset(names))
        object.__setattr__(self, "_lengths", {first: frozenset(found) for first, found in lengths.items()})

    def named_in(self, words: list[str], facts: Facts) -> Iterator[str]:
        """Whole names that are in a text and not among the facts."""
        lower = [folded(word) for word in words]
        for n, word in enumerate(lower):
            for length in self._lengths.get(word, ()):
                said = tuple(lower[n : n + length])
                is_name = length > 1 or words[n][:1].isupper()
                if is_name and said in self._folded and not facts.words.issuperset(said):
                    yield " ".join(words[n : n + length])


def folded(text: str) -> str:
    """A text without case, accents and kinds of apostrophe, to compare by."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(each for each in plain if not unicodedata.combining(each))


def wrong_claims(
    subject: str, body: str, facts: Facts, language: str, strangers: Strangers | None = None
) -> tuple[str, ...]:
    """Everything in a text that its facts do not support, in words for a person; empty where all is supported."""
    if language not in LANGUAGES:
        return (f"language {language!r} can't be verified; only {', '.join(LANGUAGES)} can",)
    text = f"{subject}\n{body}"
    wrong = [*_shape(subject, body), *_addresses(text, facts)]
    rest = _ADDRESS.sub(" ", text)
    dates, rest = _dates(rest, facts, language)
    wrong += dates
    wrong += _numbers(rest, facts, language)
    wrong += _plans(rest, facts, language, strangers or Strangers())
    wrong += _names(rest, facts, language, strangers or Strangers())
    wrong += _promised(text, facts, language)
    return tuple(dict.fromkeys(wrong))


def _shape(subject: str, body: str) -> Iterator[str]:
    if not subject.strip() or not body.strip():
        yield "subject or body is empty"
    if len(subject) > LONGEST_SUBJECT or len(body) > LONGEST_BODY:
        yield f"longer than {LONGEST_SUBJECT} and {LONGEST_BODY:,} characters"
    if any(unicodedata.category(each) in ("Cc", "Cf", "Co", "Cs") for each in subject):
        yield "control or invisible characters in the subject"
    if any(unicodedata.category(each) in ("Cc", "Cf", "Co", "Cs") and each not in "\n\t" for each in body):
        yield "control or invisible characters"
    if _MARKUP.search(subject + "\n" + body):
        yield "markup"
    mixed = [word for word in _WORD.findall(subject + " " + body) if len(scripts(word)) > 1]
    if mixed:
        yield f"letters of several scripts in {mixed[0]!r}"


def _addresses(text: str, facts: Facts) -> Iterator[str]:
    for found in _ADDRESS.findall(text):
        if found.rstrip(".,)") not in facts.links:
            yield f"address {found!r}"


def _dates(text: str, facts: Facts, language: str) -> tuple[list[str], str]:
    """Dates that are not among the facts, and the text without any date."""
    found, rest = written_dates(text, language)
    wrong = [f"date {each.text!r}" for each in found if not any(each.means(day) for day in facts.dates)]
    # A weekday beside a date is right or wrong with it, and nobody can tell which; alone it is a claim of its own.
    wrong += [f"weekday {word!r}" for word in _WORD.findall(rest) if folded(word) in WEEKDAYS[language]]
    if "date" not in facts.promises:
        wrong += [f"time {each.group()!r}" for each in DATED_TIMES[language].finditer(folded(rest))]
    return wrong, rest


def _numbers(text: str, facts: Facts, language: str) -> Iterator[str]:
    for found in _NUMBER.finditer(text):
        if not any(_rounds_to(number, said) for said in _readings(found.group()) for number in facts.numbers):
            yield f"number {found.group().strip()!r}"
    for word in _WORD.findall(NO_NUMBERS[language].sub(" ", folded(text))):
        value = _spelt(word, language)
        if value is not None and value not in facts.numbers:
            yield f"number {word!r}"
        if FRACTIONS[language].fullmatch(word):
            yield f"proportion {word!r}"


def _spelt(word: str, language: str) -> float | None:
    """The number that a word spells: the sum of its parts, as in twenty-two; not a number where it can't be told."""
    values = NUMBER_WORDS[language]
    if word in values:
        return float(values[word])
    joint = r"-|und" if language == "de" else "-"
    parts = [part for part in re.split(joint, word) if part != "et"]
    known = [values.get(part, 1 if part in ONES else None) for part in parts]
    if language == "de" and len(word) > 4 and word not in ONES and GERMAN_NUMBER.fullmatch(word) and None in known:
        return math.nan
    if len(parts) < 2 or None in known or all(part in ONES for part in parts):
        return None
    return float(sum(value for value in known if value is not None))


def _readings(token: str) -> Iterator[tuple[float, int]]:
    """What a numeral can mean, with its decimals: both conventions of points and commas."""
    bare = re.sub(r"[+'\u2019\u00a0\u202f -]", "", token)
    for thousands, point in ((",", "."), (".", ",")):
        grouped = all(len(group) == 3 for group in bare.partition(point)[0].split(thousands)[1:])
        plain = bare.replace(thousands, "").replace(point, ".")
        if grouped and plain.count(".") <= 1:
            yield float(plain), len(plain.partition(".")[2])


def _rounds_to(number: float, said: tuple[float, int]) -> bool:
    value, decimals = said
    return abs(number - value) <= 0.5 * 10**-decimals + 1e-9


def _plans(text: str, facts: Facts, language: str, strangers: Strangers) -> Iterator[str]:
    """Plans that are not the customer's: those that are sold, whatever their case, and usual names beside `plan`."""
    others = {folded(plan) for plan in strangers.plans} - facts.texts
    words = [folded(word) for word in _WORD.findall(text)]
    for n, word in enumerate(words):
        parts = set(re.split(r"['-]", word))
        beside = {*words[max(0, n - 2) : n], *words[n + 1 : n + 3], *parts}
        if parts & (others | TRIALS - facts.words) or (parts & TIERS - facts.words and beside & PLAN_WORDS[language]):
            yield f"plan {word!r}"


def _names(text: str, facts: Facts, language: str, strangers: Strangers) -> Iterator[str]:
    yield from (f"name {name!r}" for name in strangers.named_in(_WORD.findall(text), facts))
    usual = facts.words | COMMON_CAPITALS[language]
    for sentence in _SENTENCE.split(text):
        words = list(_WORD.finditer(sentence))
        for n, found in enumerate(words):
            word = found.group()
            known = folded(word) in usual or _parts(folded(word)) <= usual
            if word[:1].isupper() and not known and _looks_like_a_name(words, n, sentence, language):
                yield f"name {word!r}"


def _looks_like_a_name(words: list[re.Match[str]], n: int, sentence: str, language: str) -> bool:
    """Whether a capital letter says so: not where it begins a sentence, and in German not by itself."""
    word = words[n].group()
    inner = any(each.isupper() for each in word[1:])
    if language == "en" and n == 0 and len(words) > 1 and folded(words[1].group()) in SPEAKERS:
        return folded(word) not in NOBODY and not folded(word).endswith("ing")
    if language != "de":
        return n > 0 or inner
    after_title = n > 0 and folded(words[n - 1].group()) in TITLES
    return after_title or (inner and "-" not in word) or (n > 1 and _follows_name(words, n, sentence))


def _follows_name(words: list[re.Match[str]], n: int, sentence: str) -> bool:
    """German writes all nouns large; two of them side by side without anything between are mostly a name."""
    before, between = words[n - 1].group(), sentence[words[n - 1].end() : words[n].start()]
    return between == " " and before[:1].isupper() and folded(before) not in POLITE


def _parts(word: str) -> set[str]:
    """The words of a compound or contraction: those of I'm and data-driven."""
    return set(re.split(r"['-]", word)) - CONTRACTED


def _promised(text: str, facts: Facts, language: str) -> Iterator[str]:
    plain = folded(text)
    for kind, pattern in PROMISES[language].items():
        if kind not in facts.promises and (found := pattern.search(plain)):
            yield f"promise of a {kind}: {found.group().strip()!r}"
    for sentence in _SENTENCE.split(plain):
        # A question gives nothing away; a play that may promise something says so in many ways.
        may_give = bool(facts.promises) or sentence.endswith("?")
        if not may_give and (given := GIVING[language].search(sentence)):
            yield f"promise to do or give something: {given.group().strip()!r}"
        if "date" in facts.promises:
            continue
        time, commitment = RELATIVE_TIMES[language].search(sentence), COMMITMENTS[language].search(sentence)
        if time and commitment:
            yield f"promise of a date: {commitment.group().strip()!r} with {time.group().strip()!r}"
