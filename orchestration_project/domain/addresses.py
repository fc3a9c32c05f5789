"""Addresses: whether a text is exactly one e-mail address, and which."""

import re

from orchestration_project.domain.texts import unseen

LONGEST, LONGEST_LOCAL = 254, 64
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


def address(text: str) -> str | None:
    """The one address that a text is, with its domain in ASCII and lower case; None where it is anything else.

    Quoted local parts, comments, display names, address literals and local parts beyond ASCII are refused: few real
    people have them, and they are where parsers disagree about who gets a message.
    """
    local, _, domain = text.rpartition("@")
    if unseen(domain) or len(local) > LONGEST_LOCAL or not _LOCAL.fullmatch(local):
        return None
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    found = f"{local}@{ascii_domain}"
    return found if len(found) <= LONGEST else None
