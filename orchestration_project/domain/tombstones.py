"""Tombstones: who was erased, told by a keyed hash, so that they are known again though nobody keeps who they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

PREFIX = "erased-"
"""What every pseudonym begins with."""
DIGITS = 32


def pseudonym(salt: str, text: str) -> str:
    """What stands in the place of an identifier, an address or a key that is erased: always the same for a salt."""
    return PREFIX + sha256(f"{salt}/{text}".encode("utf-8", "replace")).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class Tombstones:
    """The customers who were erased from a home."""

    salt: str = ""
    pseudonyms: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.pseudonyms)

    def __contains__(self, customer_id: object) -> bool:
        return self.names(str(customer_id)) in self.pseudonyms if self.pseudonyms else False

    def names(self, text: str) -> str:
        """The pseudonym of an identifier, address or key."""
        return pseudonym(self.salt, text)

    def flag(self, customer_id: "ir.StringValue") -> "ir.BooleanValue":
        """Whether the customers of a column were erased, on any engine with SHA-256; null where there is none."""
        digits = [each.removeprefix(PREFIX) for each in sorted(self.pseudonyms)]
        return (f"{self.salt}/" + customer_id).hexdigest("sha256").substr(0, DIGITS).isin(digits)

    def among(self, texts: Iterable[str]) -> bool:
        """Whether one of these texts names somebody who was erased."""
        return bool(self) and any(text in self for text in texts)


NOBODY = Tombstones()
