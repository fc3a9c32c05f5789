"""Wording: whether the parts of a message say and ask no more than plain words and facts can. Says why, never mends.

A list of what must not be promised has no end; what passes here is what can be told to be harmless. All else a person
reads before it is sent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from orchestration_project.domain.claims import Facts, Strangers, numerals, promised, says, unsupported
from orchestration_project.domain.plain_words import ABOUT, ASKED, PROMISED, STATED
from orchestration_project.domain.texts import folded
from orchestration_project.domain.vocabulary import LANGUAGES
from orchestration_project.domain.written_dates import written_dates

LONGEST_SUBJECT, LONGEST_NOTICED, LONGEST_QUESTION = 150, 600, 300
_WORD = re.compile(r"[^\W\d_]+")
_ELIDED = re.compile(r"\b(?:[dlnjcsmt]|qu)'|'(?:s|ve|re|m)\b|-t-")
"""What is left of a word that is drawn together with another, as in l'équipe, team's and a-t-elle."""
_ENDINGS: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"(?<=...)s$"),
    "de": re.compile(r"(?<=....)(?:e[nrsm]?|n|s)$"),
    "fr": re.compile(r"(?<=...)(?:es?|s)$"),
}
"""Endings of number, gender and case: with another of them, a word is the same."""
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "a share": ("decline_pct",),
    "the latest days": ("window_days",),
    "active days": ("active_days_30d",),
    "days": ("window_days", "days_since_use", "active_days_30d", "overdue_days"),
    "tickets": ("tickets_open", "tickets_30d"),
    "some of them": ("tickets_open", "tickets_30d", "active_days_30d", "window_days", "overdue_amount"),
    "something else": ("overdue_amount",),
}
"""What a number can count in a text, and the facts that are such counts."""
_SHARE = re.compile(r"\s*(?:%|per ?cent\b|prozent\b|pour cent\b)")
_LATEST_BEFORE = re.compile(r"\b(?:last|past|letzten|vergangenen)\s+$")
_LATEST = re.compile(r"\s+(?:last|past|letzten|vergangenen|derniers)\b(?:\s+(?:days|tagen?|jours))?\b")
_ACTIVE = re.compile(r"\s+(?:(?:active|aktiven?)\s+(?:days?|tage?n?)|jours?\s+actifs?)\b")
_DAYS = re.compile(r"\s+(?:days?|tage?n?|jours?)\b")
_TICKETS = re.compile(
    r"\s+(?:[^\W\d]+\s+){0,2}?(?:tickets?|requests?|issues?|problems?|questions?|(?:support)?anfragen?|anliegen|fragen?"
    r"|probleme?n?|demandes?|problemes?)\b"
)
_OTHERS = re.compile(
    r"\s+(?:[^\W\d]+\s+)?(?:invoices?|payments?|people|persons?|colleagues?|messages?|replies|conversations?|meetings?|times"
    r"|teams?|products?|rechnung\w*|zahlung\w*|leuten?|person\w*|kolleg\w*|nachricht\w*|gesprach\w*|mal|produkt\w*"
    r"|facture\w*|paiement\w*|collegue\w*|echange\w*|fois|rencontre\w*|equipe\w*|produit\w*)\b"
)
_WITHIN_QUESTION = re.compile(r"[.!?;:…\n]")


@dataclass(frozen=True)
class PlainWords:
    """What a part of a message may be made of: words, and phrases whose words may not stand by themselves."""

    language: str
    words: tuple[str, ...]
    phrases: tuple[str, ...]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._bare(folded(word)) for word in self.words)

    @cached_property
    def _phrases(self) -> re.Pattern[str]:
        longest_first = sorted(map(folded, self.phrases), key=len, reverse=True)
        return re.compile("|".join(rf"\b{re.escape(each)}\b" for each in longest_first))

    def __str__(self) -> str:
        return f"{' '.join(self.words)}\nPhrases: {'; '.join(self.phrases)}"

    def beside(self, other: "PlainWords") -> "PlainWords":
        """These without those of another."""
        words = tuple(word for word in self.words if word not in other.words)
        return PlainWords(self.language, words, tuple(phrase for phrase in self.phrases if phrase not in other.phrases))

    def strange_in(self, text: str) -> Iterator[str]:
        """Words of a folded text that are none of these, whatever their endings."""
        rest = _ELIDED.sub(" ", self._phrases.sub(" ", text))
        yield from (word for word in _WORD.findall(rest) if self._bare(word) not in self._known)

    def _bare(self, word: str) -> str:
        return _ENDINGS[self.language].sub("", word)


@cache
def plain_words(language: str, factor: str, promises: frozenset[str], asked: bool) -> PlainWords:
    """What may be stated about a factor in a language; where it is `asked`, what may be asked too."""
    lists = [STATED[language], ABOUT[factor][language], *(PROMISED[kind][language] for kind in promises)]
    entries = sorted({entry for each in (*lists, ASKED[language] if asked else ()) for entry in each})
    words = tuple(entry for entry in entries if entry.isalpha())
    return PlainWords(language, words, tuple(entry for entry in entries if not entry.isalpha()))


def wrong_wording(
    subject: str, noticed: str, question: str, facts: Facts, language: str, factor: str, strangers: Strangers
) -> tuple[str, ...]:
    """Everything in the parts of a message that may not be there, in words for a person; empty where all is fine."""
    if language not in LANGUAGES:
        return (f"language {language!r} can't be verified; only {', '.join(LANGUAGES)} can",)
    wrong = [*_shape(subject, noticed, question)]
    for part in (subject, noticed, question):
        wrong += unsupported(part, facts, language, strangers)
        rest = _without_facts(part, facts, language)
        wrong += _miscounted(rest, facts)
        allowed = plain_words(language, factor, facts.promises, asked=part.rstrip().endswith("?"))
        wrong += (f"word {word!r}" for word in allowed.strange_in(_without_counts(rest)))
    # Names come from outside and can be made to say anything; those of the frame are in no part.
    names = "; ".join(sorted(facts.names)) or "-"
    wrong += [*unsupported(names, facts, language, strangers), *promised(names, facts)]
    return tuple(dict.fromkeys(wrong))


def _shape(subject: str, noticed: str, question: str) -> Iterator[str]:
    for name, part, longest in (
        ("subject", subject, LONGEST_SUBJECT),
        ("statement", noticed, LONGEST_NOTICED),
        ("question", question, LONGEST_QUESTION),
    ):
        if not part.strip():
            yield f"{name} is empty"
        if len(part) > longest:
            yield f"{name} of more than {longest} characters"
    if "\n" in subject:
        yield "subject of several lines"
    if "?" in noticed:
        yield "question in the statement"
    asked = question.rstrip()
    if not asked.endswith("?") or _WITHIN_QUESTION.search(asked[:-1]):
        yield "question that is not one question alone"


def _miscounted(text: str, facts: Facts) -> Iterator[str]:
    """Numbers of a folded text that are among the facts, and count something else there than they do here."""
    for found in numerals(text):
        what, _ = _counted(text, found)
        counts = [value for fact in _COUNTS[what] if isinstance(value := facts.values.get(fact), int | float)]
        if not says(found.group(), counts):
            yield f"number {found.group().strip()!r} of {what}"


def _counted(text: str, numeral: re.Match[str]) -> tuple[str, int]:
    """What a numeral counts, by the words around it, and where its unit ends."""
    if share := _SHARE.match(text, numeral.end()):
        return "a share", share.end()
    if latest := _LATEST.match(text, numeral.end()):
        return "the latest days", latest.end()
    if active := _ACTIVE.match(text, numeral.end()):
        return "active days", active.end()
    days = _DAYS.match(text, numeral.end())
    if _LATEST_BEFORE.search(text[: numeral.start()]):
        return "the latest days", days.end() if days else numeral.end()
    if days:
        return "days", days.end()
    if _TICKETS.match(text, numeral.end()):
        return "tickets", numeral.end()
    return "something else" if _OTHERS.match(text, numeral.end()) else "some of them", numeral.end()


def _without_facts(text: str, facts: Facts, language: str) -> str:
    """A folded text without the names among its facts, each whole, and without dates."""
    rest = folded(written_dates(text, language)[1])
    for known in sorted(map(folded, facts.names), key=len, reverse=True):
        rest = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", " ", rest)
    return rest


def _without_counts(text: str) -> str:
    """A folded text without its numbers and their units."""
    for found in reversed(list(numerals(text))):
        text = text[: found.start()] + " " + text[_counted(text, found)[1] :]
    return text
