"""Vocabulary: the words by which claims are told."""

import re
from collections.abc import Mapping

LANGUAGES = ("en", "de", "fr")
"""Languages that drafts are written and verified in; of a customer with another one, English."""
ENGLISH = "en"
"""What our own people are told in."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbered(words: str, first: int = 1) -> dict[str, int]:
    return {word: n for n, group in enumerate(words.split(), first) for word in group.split("/")}


MONTHS: Mapping[str, Mapping[str, int]] = {
    "en": _numbered(
        "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sept/sep "
        "october/oct november/nov december/dec"
    ),
    "de": _numbered(
        "januar/jänner/jan februar/feb märz april/apr mai juni/jun juli/jul august/aug september/sept/sep "
        "oktober/okt november/nov dezember/dez"
    ),
    "fr": _numbered(
        "janvier/janv février/févr/fevrier mars avril/avr mai juin juillet/juil août/aout septembre/sept octobre/oct "
        "novembre/nov décembre/déc/decembre"
    ),
}
MONTHS_THAT_ARE_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words("may march mar jan jun sep dec august"),
    "de": _words("mai jan"),
    "fr": _words("avr sept dec"),
}
"""Names of months that are other words too, so that alone they are none."""
ONES = _words("one")
"""Words for 1 that are mostly something else."""
WEEKDAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
NUMBER_WORDS: Mapping[str, int] = {
    **_numbered(
        "two/twice/both/couple three/thrice four five six seven eight nine ten eleven twelve/dozen thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty",
        2,
    ),
    "zero": 0, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100, "hundreds": 100, "thousand": 1000, "thousands": 1000, "million": 1_000_000,
}  # fmt: skip
FRACTIONS = re.compile(
    r"hal(f|ves|ved|ving)|doubl(e|ed|ing)|tripl(e|ed|ing)|quadrupled?|quarters?|thirds?|two-thirds|three-quarters"
    r"|(two|three|four|five|ten)fold|majority|fifths?|tenths?|decades?|century|centuries"
    r"|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
)
NO_NUMBERS = re.compile(
    r"\b(line|word|sentence|thing|question) or two\b|\b(on|from) both (sides|ends)\b|\bboth of us\b"
    r"|\bof the two(?= (is|are|was|would)\b|[?.,])"
    r"|\b(a|per|split) second\b|\bsecond (thought|opinion|nature|look)"
)
"""Phrases with the word of a number that counts nothing; over folded text."""
PLAN_WORDS = _words("plan plans tier package subscription edition licence license")
"""Words that stand beside the name of a plan."""
TIERS = _words(
    "premium professional pro business enterprise gold silver platinum basic base standard plus ultimate team advanced "
    "starter growth scale essential essentials unlimited max elite lite light small medium large corporate diamond "
    "bronze prime"
)
"""Words that plans are called by everywhere."""
TRIALS = _words("trial freemium")
"""Words that name a plan by themselves."""
CONTRACTED = _words("s m d ll ve re t") | {""}
"""What is left of a word that was drawn together with another."""
SPEAKERS = _words("from tells says told said mentioned asked wrote suggests recommends confirmed informs confirms")
"""Words after which a word at the beginning of a sentence is somebody."""
NOBODY = _words(
    "someone somebody anyone anybody nobody everyone people he she they we you i it what this that which "
    "who one apart aside question questions news word message feedback coming starting judging as and far away back"
)
"""Words that may stand before them without being a name."""
COMMON_CAPITALS = _words("i i'm i've i'd i'll mr ms mrs dr crm api ok fyi ps q a english")
"""Words that may be written large without being a name."""
