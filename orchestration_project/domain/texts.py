"""Texts: what comes from outside, made safe to be shown as data; and whether a name can be a name."""

import re
import unicodedata

LONGEST_NAME, LONGEST_TEXT = 120, 500
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_SPACES = re.compile(r"\s+")
_ODD_IN_NAME = re.compile(
    r"[<>{}\[\]|\\^~`=;:@#$%*_\"]|//|https?|www\.|\.(com|net|org|io|ru|xyz)\b|[.!?]\s+\S+\s+\S+", re.IGNORECASE
)
_ORDERS = re.compile(
    r"\b(ignore|disregard|forget|override|system|assistant|instruction|instructions|prompt|ignoriere|ignorez|anweisung"
    r"|admin|developer|jailbreak|execute|forward|bcc)\b",
    re.IGNORECASE,
)
WORDS_OF_A_NAME = 8


def clean(text: object, longest: int = LONGEST_TEXT) -> str:
    """One line of visible text in normal form: no control or invisible characters, no line breaks, not too long."""
    normal = unicodedata.normalize("NFKC", str(text))
    visible = _INVISIBLE.sub("", normal)
    plain = "".join(" " if unicodedata.category(each) in ("Cc", "Cs", "Co", "Cn") else each for each in visible)
    short = _SPACES.sub(" ", plain).strip()
    return short if len(short) <= longest else short[: longest - 1].rstrip() + "…"


def unseen(text: str, lines: bool = False) -> str | None:
    """The first character of a text that breaks a line or that nobody sees; None where there is none.

    Where `lines` may be, line feeds, tabs and what joins letters and emoji are fine.
    """
    fine = "\n\t\u00ad\u200c\u200d\ufe0e\ufe0f" if lines else ""
    return next((each for each in text if each not in fine and _is_unseen(each)), None)


def revealed(text: str) -> str:
    """A text of several lines with each character that nobody sees written out, as `<U+202E>`."""
    found = {each for each in text if unseen(each, lines=True)}
    return "".join(f"<U+{ord(each):04X}>" if each in found else each for each in text)


def _is_unseen(character: str) -> bool:
    return bool(_INVISIBLE.match(character)) or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def folded(text: str) -> str:
    """A text without case, accents and kinds of apostrophe, to compare by."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(each for each in plain if not unicodedata.combining(each))


def scripts(word: str) -> set[str]:
    """The scripts that the letters of a word are from, as the first word of their Unicode names."""
    return {unicodedata.name(each, "UNKNOWN").split()[0] for each in word if each.isalpha()}


def name(text: object) -> str | None:
    """The text as the name of a person, company, plan or category; None where it can't be one.

    Markup, addresses, sentences, orders, mixed scripts and huge texts are no names: who reads on does without.
    """
    told = clean(text, LONGEST_NAME + 1)
    if not told or len(told) > LONGEST_NAME or len(told.split()) > WORDS_OF_A_NAME:
        return None
    if _ODD_IN_NAME.search(told) or _ORDERS.search(told) or any(len(scripts(word)) > 1 for word in told.split()):
        return None
    return told if any(each.isalnum() for each in told) else None
