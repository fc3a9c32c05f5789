"""Claims: what a text says that its facts don't, or promises what its play does not allow. Says why, never mends.

A text passes only where every number, date, name, plan and address in it is among the facts. What can't be told apart
from a false claim counts as one. `unsupported` reads any language; `wrong_claims` reads freely worded English, which
our own people are told. What customers are told is held to more: `domain.wording`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from orchestration_project.domain.promises import COMMITMENTS, DATED_TIMES, GIVING, PROMISES, RELATIVE_TIMES
from orchestration_project.domain.texts import folded, scripts
from orchestration_project.domain.vocabulary import (
    COMMON_CAPITALS,
    CONTRACTED,
    ENGLISH,
    FRACTIONS,
    NO_NUMBERS,
    NOBODY,
    NUMBER_WORDS,
    ONES,
    PLAN_WORDS,
    SPEAKERS,
    TIERS,
    TRIALS,
    WEEKDAYS,
)
from orchestration_project.domain.written_dates import written_dates

LONGEST_TEXT = 4000
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
    def names(self) -> frozenset[str]:
        """Texts among the facts: names and plans."""
        return frozenset(v for v in self.values.values() if isinstance(v, str))

    @cached_property
    def texts(self) -> frozenset[str]:
        """The same, folded."""
        return frozenset(map(folded, self.names))


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


def unsupported(text: str, facts: Facts, language: str, strangers: Strangers) -> list[str]:
    """Whatever a text of any language holds that its facts do not: addresses, dates, numbers, others' names, markup."""
    wrong = [*_form(text), *_addresses(text, facts)]
    found, rest = written_dates(_ADDRESS.sub(" ", text), language)
    wrong += [f"date {each.text!r}" for each in found if not any(each.means(day) for day in facts.dates)]
    wrong += _numbers(rest, facts)
    return [*wrong, *(f"name {name!r}" for name in strangers.named_in(_WORD.findall(rest), facts))]


def wrong_claims(text: str, facts: Facts, strangers: Strangers | None = None) -> tuple[str, ...]:
    """Everything in an English text that its facts do not support, in words for a person; empty where all is."""
    strangers = strangers or Strangers()
    rest = written_dates(_ADDRESS.sub(" ", text), ENGLISH)[1]
    wrong = [
        *unsupported(text, facts, ENGLISH, strangers), *_times(rest, facts), *_spelt_numbers(rest, facts),
        *_plans(rest, facts, strangers), *_names(rest, facts), *promised(text, facts),
    ]  # fmt: skip
    return tuple(dict.fromkeys(wrong))


def _form(text: str) -> Iterator[str]:
    if not text.strip():
        yield "text is empty"
    if len(text) > LONGEST_TEXT:
        yield f"longer than {LONGEST_TEXT:,} characters"
    if any(unicodedata.category(each) in ("Cc", "Cf", "Co", "Cs") and each not in "\n\t" for each in text):
        yield "control or invisible characters"
    if _MARKUP.search(text):
        yield "markup"
    mixed = [word for word in _WORD.findall(text) if len(scripts(word)) > 1]
    if mixed:
        yield f"letters of several scripts in {mixed[0]!r}"


def _addresses(text: str, facts: Facts) -> Iterator[str]:
    for found in _ADDRESS.findall(text):
        if found.rstrip(".,)") not in facts.links:
            yield f"address {found!r}"


def _times(text: str, facts: Facts) -> Iterator[str]:
    # A weekday beside a date is right or wrong with it, and nobody can tell which; alone it is a claim of its own.
    yield from (f"weekday {word!r}" for word in _WORD.findall(text) if folded(word) in WEEKDAYS)
    if "date" not in facts.promises:
        yield from (f"time {each.group()!r}" for each in DATED_TIMES.finditer(folded(text)))


def _numbers(text: str, facts: Facts) -> Iterator[str]:
    return (f"number {found.strip()!r}" for found in _NUMBER.findall(text) if not says(found, facts.numbers))


def numerals(text: str) -> Iterator[re.Match[str]]:
    """The numbers of a text that are written in digits."""
    return _NUMBER.finditer(text)


def says(numeral: str, numbers: Iterable[float]) -> bool:
    """Whether a numeral says one of some numbers, rounded as far as it is, in any convention."""
    return any(_rounds_to(number, said) for said in _readings(numeral) for number in numbers)


def _spelt_numbers(text: str, facts: Facts) -> Iterator[str]:
    for word in _WORD.findall(NO_NUMBERS.sub(" ", folded(text))):
        value = _spelt(word)
        if value is not None and value not in facts.numbers:
            yield f"number {word!r}"
        if FRACTIONS.fullmatch(word):
            yield f"proportion {word!r}"


def _spelt(word: str) -> float | None:
    """The number that a word spells: the sum of its parts, as in twenty-two."""
    if word in NUMBER_WORDS:
        return float(NUMBER_WORDS[word])
    parts = word.split("-")
    known = [NUMBER_WORDS.get(part, 1 if part in ONES else None) for part in parts]
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


def _plans(text: str, facts: Facts, strangers: Strangers) -> Iterator[str]:
    """Plans that are not the customer's: those that are sold, whatever their case, and usual names beside `plan`."""
    others = {folded(plan) for plan in strangers.plans} - facts.texts
    words = [folded(word) for word in _WORD.findall(text)]
    for n, word in enumerate(words):
        parts = set(re.split(r"['-]", word))
        beside = {*words[max(0, n - 2) : n], *words[n + 1 : n + 3], *parts}
        if parts & (others | TRIALS - facts.words) or (parts & TIERS - facts.words and beside & PLAN_WORDS):
            yield f"plan {word!r}"


def _names(text: str, facts: Facts) -> Iterator[str]:
    usual = facts.words | COMMON_CAPITALS
    for sentence in _SENTENCE.split(text):
        words = [found.group() for found in _WORD.finditer(sentence)]
        for n, word in enumerate(words):
            known = folded(word) in usual or _parts(folded(word)) <= usual
            if word[:1].isupper() and not known and _looks_like_a_name(words, n):
                yield f"name {word!r}"


def _looks_like_a_name(words: list[str], n: int) -> bool:
    """Whether a capital letter says so: not where it begins a sentence, unless somebody speaks there."""
    word = words[n]
    if n == 0 and len(words) > 1 and folded(words[1]) in SPEAKERS:
        return folded(word) not in NOBODY and not folded(word).endswith("ing")
    return n > 0 or any(each.isupper() for each in word[1:])


def _parts(word: str) -> set[str]:
    """The words of a compound or contraction: those of I'm and data-driven."""
    return set(re.split(r"['-]", word)) - CONTRACTED


def promised(text: str, facts: Facts) -> Iterator[str]:
    """Promises in an English text that its play does not allow, by the words that they are made with."""
    plain = folded(text)
    for kind, pattern in PROMISES.items():
        if kind not in facts.promises and (found := pattern.search(plain)):
            yield f"promise of a {kind}: {found.group().strip()!r}"
    for sentence in _SENTENCE.split(plain):
        # A question gives nothing away; a play that may promise something says so in many ways.
        may_give = bool(facts.promises) or sentence.endswith("?")
        if not may_give and (given := GIVING.search(sentence)):
            yield f"promise to do or give something: {given.group().strip()!r}"
        if "date" in facts.promises:
            continue
        time, commitment = RELATIVE_TIMES.search(sentence), COMMITMENTS.search(sentence)
        if time and commitment:
            yield f"promise of a date: {commitment.group().strip()!r} with {time.group().strip()!r}"
