"""Traces: the texts by which a customer is known, where in another text they stand, and how they are masked there."""

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MASK = "[erased]"
SHORTEST, SHORTEST_NUMBER = 3, 6
"""Characters that a text, and one of digits only, needs to be looked for within others: shorter ones are anywhere."""
_BEFORE = r"(?:(?<!\w)|(?<=\\[nrtbf]))"
"""A word begins here; in JSON, also after the letter of `\\n`."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True)
class Traces:
    """What a customer is known by."""

    customer_id: str
    names: frozenset[str] = frozenset()
    """Names and addresses."""
    shared: frozenset[str] = frozenset()
    """Of all of them, those that are about others too, and so tell nothing by themselves."""

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """What a text in lower case must hold one of to hold a trace."""
        return tuple(sorted({form.lower() for form in self._spellings}))

    @cached_property
    def letters(self) -> tuple[bytes, ...]:
        """The same for bytes, and for databases, of which some know the lower case of ASCII only."""
        return tuple(sorted({form.encode().lower() for form in self._spellings}))

    @property
    def _spellings(self) -> set[str]:
        return {form for each in (self.customer_id, *self.telling) for form in _forms(each)}

    @property
    def telling(self) -> list[str]:
        """The texts that are looked for within other texts, the longest first."""
        found = {self.customer_id, *self.names} - self.shared
        return sorted((each for each in found if _is_telling(each)), key=lambda each: (-len(each), each))

    @property
    def untold(self) -> int:
        """How many of the texts are looked for where a value is nothing else, or not at all."""
        return len({self.customer_id, *self.names}) - len(self.telling)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        key = rf"""(?P<key>customer_id[\\"']*\s*[:=]\s*[\\"']*){re.escape(self.customer_id)}(?!\w)"""
        return re.compile("|".join([key, *(_pattern(each) for each in self.telling)]))

    def found(self, text: str) -> bool:
        """Whether a text names the customer."""
        low = text.lower()
        return any(form in low for form in self.forms) and bool(self._pattern.search(text))

    def masked(self, text: str) -> str:
        """A text with a mask for every trace of the customer."""
        if not self.found(text):
            return text
        return self._pattern.sub(lambda match: (match["key"] or "") + MASK, text)

    def found_in(self, value: Any) -> bool:
        """Whether a value, however deep, names the customer."""
        return self.masked_in(value) != value

    def masked_in(self, value: Any) -> Any:
        """A value with a mask for every trace, however deep; what a list has about the customer is left out."""
        if isinstance(value, str):
            return self.masked(value)
        if isinstance(value, dict):
            return {self.masked_in(key): self._of_key(key, each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.masked_in(each) for each in value if not self._is_about(each))
        return value

    def _of_key(self, key: Any, value: Any) -> Any:
        return MASK if key == "customer_id" and str(value) == self.customer_id else self.masked_in(value)

    def _is_about(self, value: Any) -> bool:
        return isinstance(value, dict) and str(value.get("customer_id")) == self.customer_id


def shared(texts: Iterable[str], others: Iterable[str]) -> frozenset[str]:
    """Of `texts`, those that stand in one of the texts about others."""
    patterns = {text: re.compile(_pattern(text)) for text in texts}
    return frozenset(text for other in others for text, pattern in patterns.items() if pattern.search(other))


def _is_telling(text: str) -> bool:
    return len(text) >= (SHORTEST_NUMBER if text.isdigit() else SHORTEST)


def _forms(text: str) -> set[str]:
    """A text as it is, and as it stands in JSON and in HTML."""
    return {text, json.dumps(text)[1:-1], html.escape(text), html.escape(text, quote=False)}


def _pattern(text: str) -> str:
    forms = "|".join(re.escape(form) for form in sorted(_forms(text), key=len, reverse=True))
    if _ADDRESS.fullmatch(text):
        return rf"(?:(?<![\w.+-])|(?<=\\[nrtbf]))(?i:{forms})(?![\w-]|\.\w)"
    return rf"{_BEFORE}(?:{forms})(?!\w)"
