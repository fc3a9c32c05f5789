"""Vocabulary: the words by which claims are told in each language that drafts are written in."""

import re
from collections.abc import Mapping

LANGUAGES = ("en", "de", "fr")
"""Languages that drafts are written and verified in; of a customer with another one, English."""


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
ONES = _words("one ein eins un une")
"""Words for 1 that are mostly articles."""
WEEKDAYS: Mapping[str, Mapping[str, int]] = {
    "en": _numbered("monday tuesday wednesday thursday friday saturday sunday", 0),
    "de": _numbered("montag dienstag mittwoch donnerstag freitag samstag/sonnabend sonntag", 0),
    "fr": _numbered("lundi mardi mercredi jeudi vendredi samedi dimanche", 0),
}
NUMBER_WORDS: Mapping[str, Mapping[str, int]] = {
    "en": _numbered(
        "two/twice/both/couple three/thrice four five six seven eight nine ten eleven twelve/dozen thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty",
        2,
    )
    | {"zero": 0, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
       "hundred": 100, "hundreds": 100, "thousand": 1000, "thousands": 1000, "million": 1_000_000},
    "de": _numbered(
        "zwei/beide/beiden/zweimal drei/dreimal vier/viermal funf sechs sieben acht neun zehn elf zwolf/dutzend "
        "dreizehn vierzehn "
        "funfzehn sechzehn siebzehn achtzehn neunzehn zwanzig",
        2,
    )
    | {"null": 0, "dreißig": 30, "dreissig": 30, "vierzig": 40, "funfzig": 50, "sechzig": 60, "siebzig": 70,
       "achtzig": 80, "neunzig": 90, "hundert": 100, "hunderte": 100, "tausend": 1000},
    "fr": _numbered(
        "deux trois quatre cinq six sept huit neuf dix onze douze/douzaine treize quatorze quinze/quinzaine seize", 2
    )
    | {"zero": 0, "vingt": 20, "vingtaine": 20, "trente": 30, "trentaine": 30, "quarante": 40, "cinquante": 50,
       "soixante": 60, "cent": 100, "centaine": 100, "mille": 1000},
}  # fmt: skip
FRACTIONS: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(
        r"hal(f|ves|ved|ving)|doubl(e|ed|ing)|tripl(e|ed|ing)|quadrupled?|quarters?|thirds?|two-thirds|three-quarters"
        r"|(two|three|four|five|ten)fold|majority|fifths?|tenths?|decades?|century|centuries"
        r"|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
    ),
    "de": re.compile(
        r"halb(e|en|es|er|iert|ierte)?|halfte|verdoppel\w*|verdreifach\w*|ge(drittelt|viertelt)|drittel|viertel|dreiviertel|mehrheit|doppelt\w*"
        r"|(zwei|drei|vier|funf|zehn|mehr)fach(e|en|es)?"
        r"|(ein|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn|elf|zwolf|zwanzig)"
        r"(kopfig|tagig|wochig|monatig|stundig|jahrig|prozentig|stellig)\w*"
        r"|funftel|zehntel|jahrzehnt\w*|jahrhundert\w*"
        r"|(zweit|dritt|viert|funft|sechst|siebt|acht|neunt|zehnt)e[nrms]?"
    ),
    "fr": re.compile(
        r"moitie|demi(e|es)?|doubl(e|es|ee|er)|tripl(e|es|ee|er)|tiers|quarts?|majorite"
        r"|cinquiemes?|dixiemes?|decennies?|siecles?|(deux|trois|quatr|cinqu|six|sept|huit|neuv|dix)iemes?"
    ),
}
NO_NUMBERS: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(line|word|sentence|thing|question) or two\b|\b(on|from) both (sides|ends)\b|\bboth of us\b"
        r"|\bof the two(?= (is|are|was|would)\b|[?.,])"
        r"|\b(a|per|split) second\b|\bsecond (thought|opinion|nature|look)"
    ),
    "de": re.compile(
        r"\b(ein oder zwei|ein, zwei) (zeilen|worte|satze)\b|\b(von|der) beiden(?=[?.,])|\bbeiden seiten\b"
    ),
    "fr": re.compile(r"\bpour cent\b|\b(un mot|une phrase|une ligne) ou deux\b|\bdes deux(?=[?.,]| cotes)"),
}
"""Phrases with the word of a number that counts nothing; over folded text."""
PLAN_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words("plan plans tier package subscription edition licence license"),
    "de": _words("plan tarif tarifs tarifes paket pakets abo abonnement edition lizenz kunde kunden"),
    "fr": _words("plan forfait formule offre abonnement edition licence pack"),
}
"""Words that stand beside the name of a plan."""
TIERS = _words(
    "premium professional profi pro business enterprise gold silver silber argent platinum platin "
    "platine basic basis base standard plus ultimate team advanced starter growth scale essential "
    "essentials essentiel confort komfort unlimited illimite max elite lite light small medium large "
    "corporate diamond bronze prime entreprise avance"
)
"""Words that plans are called by everywhere."""
TRIALS = _words("trial freemium testphase testversion testzugang probeabo essai")
"""Words that name a plan by themselves."""
POLITE = _words("sie ihr ihre ihren ihrem ihrer ihres ihnen")
"""German words that are written large out of politeness."""
CONTRACTED = _words("s m d ll ve re t l n qu j c") | {""}
"""What is left of a word that was drawn together with another."""
GERMAN_NUMBER = re.compile(
    "(?:ein|zwei|drei|vier|funf|sech|sechs|sieb|sieben|acht|neun|zehn|elf|zwolf|zwanzig|dreißig|dreissig|zig|hundert"
    "|tausend|und)+"
)
"""German numbers are one word, however long."""
SPEAKERS = _words("from tells says told said mentioned asked wrote suggests recommends confirmed informs confirms ")
"""English words after which a word at the beginning of a sentence is somebody."""
NOBODY = _words(
    "someone somebody anyone anybody nobody everyone people he she they we you i it what this that which "
    "who one apart aside question questions news word message feedback coming starting judging as and far away back"
)
"""Words that may stand before them without being a name."""
TITLES = _words("herr herrn frau dr doktor prof firma kollege kollegin kollegen")
COMMON_CAPITALS: Mapping[str, frozenset[str]] = {
    "en": _words(
        "i i'm i've i'd i'll mr ms mrs dr hi hello dear hey thanks thank best kind warm regards sincerely "
        "cheers many yours with crm api ok fyi ps q a english customer success team manager all good"
    ),
    "de": POLITE,
    "fr": _words(
        "je m mme mlle bonjour bonsoir cher chere chers cordialement merci bien a madame monsieur crm api ps "
        "sinceres sincerement salutations"
    ),
}
"""Words that may be written large without being a name."""
