"""Written dates: the dates in a text, in the ways that people and programs write them, in each language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from orchestration_project.domain.vocabulary import MONTHS, MONTHS_THAT_ARE_WORDS


@dataclass(frozen=True)
class WrittenDate:
    """A date as far as it was written: any part may be absent."""

    text: str
    year: int | None = None
    month: int | None = None
    day: int | None = None
    either_way: bool = False
    """Whether day and month may be the other way round, as in 03/04/2027."""
    century: bool = True
    """Whether the year has its century."""

    def means(self, day: date) -> bool:
        """Whether a day is what was written."""
        if self.year is not None and self.year != (day.year if self.century else day.year % 100):
            return False
        pairs = {(self.day, self.month), (self.month, self.day)} if self.either_way else {(self.day, self.month)}
        return any(d in (None, day.day) and m in (None, day.month) for d, m in pairs)


def written_dates(text: str, language: str) -> tuple[list[WrittenDate], str]:
    """The dates in a text, and the text without them."""
    found: list[WrittenDate] = []
    for pattern in _patterns(language):
        found += [_read(match, MONTHS[language]) for match in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return found, text


def _read(match: re.Match[str], months: Mapping[str, int]) -> WrittenDate:
    parts = {name: value for name, value in match.groupdict().items() if value}
    year, name = parts.get("y"), parts.get("month")
    month = months[name.lower()] if name else int(parts["m"]) if "m" in parts else None
    return WrittenDate(
        match.group().strip(), int(year) if year else None, month, int(parts["d"]) if "d" in parts else None,
        "slash" in parts, year is None or len(year) == 4,
    )  # fmt: skip


@cache
def _patterns(language: str) -> tuple[re.Pattern[str], ...]:
    """From the fullest way of writing to the barest; what one finds, the next does not see."""
    names = sorted(MONTHS[language], key=len, reverse=True)
    month = "|".join(map(re.escape, names))
    clear = "|".join(re.escape(name) for name in names if name not in MONTHS_THAT_ARE_WORDS[language])
    year = r"(?:,?\s+(?P<y>\d{4}))?"
    written = (
        r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})",
        r"(?P<d>\d{1,2})(?P<slash>[./])(?P<m>\d{1,2})[./](?P<y>\d{4}|\d{2})",
        rf"(?<!\w)(?P<d>\d{{1,2}})(?:\.|st|nd|rd|th|er)?\s+(?:of\s+|de\s+)?(?P<month>{month})\b\.?{year}",
        rf"\b(?P<month>{month})\b\.?\s+(?:the\s+)?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d){year}",
        rf"\b(?P<month>{month})\b\.?\s+(?P<y>\d{{4}})",
        rf"\b(?P<month>{clear})\b",
        rf"\b(?:in|by|until|since|of|early|late|mid|before|after|from|next|last)\s+(?P<month>{month})\b",
        r"(?<![\d.,])(?P<y>(?:19|20)\d{2})(?![\d.,]\d|\d)",
    )
    # A date does not go on in the next line.
    return tuple(re.compile(each.replace(r"\s", r"[^\S\n]"), re.IGNORECASE) for each in written)
