# ruff: noqa: E501 - an alternative with many words stays in one line
"""Promises: the words that something is promised by in English, for texts that our own people read."""

import re
from collections.abc import Mapping


def _any(phrases: str) -> re.Pattern[str]:
    """A pattern for any of some phrases, a line each; over folded text."""
    return re.compile("|".join(line.strip() for line in phrases.strip().splitlines()))


PROMISES: Mapping[str, re.Pattern[str]] = {
    "date": _any(
        r"""
        (extend|postpone|defer|delay|prolong|push back|stretch)\w* [^.!?]{0,40}(payment|term|deadline|due|invoice|contract|date|period)
        (more|extra|additional) time (to|for) (pay|settl)\w*|grace period|(pay|settle) (\w+ )?(later|in instal\w+)
        instal?lments?|(call|ring|phone|visit) you (back )?(on|at|in|tomorrow|later)
        """
    ),
    "discount": _any(
        r"""
        (don't|do not|needn't|won't|will not|no longer) (need to |have to )?pay\b|\b(at|for) (no|zero)\b
        \bfor nothing\b
        half (your|the|of (your|the)) (price|bill|fee|invoice|rate|cost)s?|freez\w+ [^.!?]{0,30}(price|rate|fee)
        (extra|additional|more|bigger) (seat|user|licen[cs]e|storage|credit|feature)s? [^.!?]{0,40}(includ|no |without|for you)
        throw\w* in|(upgrad\w+|mov\w+) you [^.!?]{0,30}without
        discount|rebate|voucher|coupon|gift|bonus|complimentary|preferential|on the house|half[ -]price
        promo(tion|tional)? (code|price|rate)|special (offer|price|rate|deal|terms)|better (price|rate|deal|terms)
        (%|per ?cent) (off|cheaper|less (for|on))
        (price|rate|fee|cost)s? (cut|reduction|freeze|reduced|lowered|break)
        (price|rate|fee|cost)s? (will )?(stay|remain|hold|be frozen|be held|won't)
        \b(reduc|lower|cut|halv)\w* [^.!?]{0,40}(price|bill|fee|invoice|rate|cost|charge|amount|off)
        \b(knock|shav|trim|slash)\w* [^.!?]{0,40}(price|bill|fee|invoice|rate|cost|charge|amount|off)
        (tak\w*|wip\w*) [^.!?]{0,30}off (the|your|its|this) (\w+ )?(price|bill|fee|invoice|rate|balance)
        free\b(?! (to|of any|up))|(no|without) (extra |any |additional )?(charge|cost|fee|pay\w+)|on us\b|waiv\w+
        extra (month|week|seat|licen)\w*|upgrade (you|your account)\b
        forgiv\w+ (the|your|this|that) (debt|invoice|balance|bill|amount|payment)|writ\w+ [^.!?]{0,20}off\b
        \bpric(e|es|ing)\b|cost\w* (you )?(nothing|less|extra|anything|any more)
        (not|n't|never|nothing) (have )?(to )?pay\b
        at our (own )?(cost|expense)|our treat|cover\w* (the|your) (cost|bill|fee|invoice)
        pick\w* up the (bill|tab)|budget-friendly
        skip\w* (the|your|this|next)[^.!?]{0,20}(payment|invoice|bill)|(bill|charge)\w* you (only|less)
        pay (only|less|nothing)
        """
    ),
    "refund": _any(
        r"""
        refund|money[- ]back|reimburs\w+|compensat\w+|\bcredit(s|ed|ing)?\b|make it up to you
        make (this|that) right
        (pay\w*|giv\w*|return\w*|transfer\w*|send\w*) [^.!?]{0,40}to your (account|card|bank)
        (amount|fee|difference) back\b
        (pay|return|transfer|send)\w* (you )?(back )?(the |your |some |any )?(money|amount|difference|fee)
        cancel\w* (that|the|this|your) (invoice|charge|bill)
        """
    ),
    "guarantee": _any(
        r"""
        priority (support|treatment|access|handling)|dedicated (support|contact|manager|engineer|team)|vip\b
        (top|first) in (line|the queue)
        (handled|treated|dealt with|answered|served) (first|with priority)|you (can )?(rely|depend|bank) on
        you will (no longer|always)
        (everything|it|this|that|the \w+) will (work|function|be (gone|over|back|fine))
        (cancel|leave|terminate|withdraw) at any time|(exit|opt out) (any ?time|whenever)|no strings|rest assured
        guarant\w+|promis\w+|assur\w+|warrant\w*|count on (us|it|a|me)\b|you have my word|commit\w* to|penalty
        (never|will not|won't) (happen|again|see|lose|have to|come back|return|occur|break)|without fail
        no matter what|(sla|uptime) (of|at)\b
        will be (fixed|resolved|solved|ready|live|done|shipped|delivered|released)
        """
    ),
}
"""Kinds of promise, by the words that they are made with; over folded text."""
GIVING = _any(
    r"""
    \b(no|not|n't|without an?) [^.!?]{0,20}\b(invoice|bill|payment|charge|fee)s? (for|this|next|any)\b
    \b(worry|think|care) about (the|your|this|that) (bill|invoice|payment|fee|cost|amount)
    \b(won't|will not|doesn't|does not) cost|\b(cheaper|less expensive)\b|\bbetter (condition|offer)s?
    \bspecial treatment
    \bconsider (the|your|this|it)\b[^.!?]{0,40}(settled|paid|done|closed|solved|resolved|cancel\w+)
    \b(take|taking|bear|carry|assume|absorb|shoulder)(s|ing)? (over |on )?(the|all|any|your) (cost|fee|expense|charge)s?
    \b(i|we)('ve| have) (already |just )?(decided|agreed|arranged|added|upgraded|extended|raised|increased|reserved|credited|asked \w+ to|put you|moved you|placed you|granted|prepared)\b
    \b(we|i) (are|am) (prepared|ready|willing|able) to
    \bour (team|engineers?|developers?) (works?|is working|are working|will|has|have)\b
    \b(will|'ll) be (available|there|back|cheaper|faster|better|gone|over|fine)
    \b(expect|look forward to) (a|an|the|our) (solution|fix|answer|reply|improvement|update|refund|credit)
    \b(we|i) can( \w+ly| also)* (give|reduce|extend|waive|cover|refund|credit|add|includ|upgrad|grant|cancel|write off|delay|postpon|guarantee)\w*
    \b(we|i)('ll| will| are going to| am going to)( \w+ly| also| only| not| gladly)* (?!be (happy|glad|brief|pleased|honest|grateful)|imagine|see|understand|tell|look|listen|explain|pass|help|answer|learn|ask|read|say|talk|speak|raise|represent|hear|think|guess|relate|discuss|only|appreciate|assume|write|keep|clear|have to|need)\w+
    \b(i|we)('d| would)( be)? (happy|glad|pleased|love|like) to (give|reduce|extend|waive|cover|refund|credit|add|include|upgrade|grant)\w*
    \blet (me|us) (?!know|understand|explain|put|say|ask|guess|start|tell|hear|talk|be|introduce|simply|get|just|first|begin|add|mention)\w+
    \byou('ll| will)( \w+ly| also| soon)* (?!find|know|see|need|tell|agree|understand|remember|have noticed|excuse|forgive)\w+
    \byou (can|may)( \w+ly| also| just)* (?!reply|answer|tell|write|see|reach|imagine|have|be|well|already|not|know|ignore|disregard|say|wonder|think|use|find|feel|send|respond|let|suggest|hit|drop|call|pass|forward|choose|decide|contact|judge|see|best)\w+
    \byou (get (an?|it|this|extra|more|free|\d+)|receive (an?|your|extra|more)|have until|are entitled|are eligible|qualify|deserve)\b
    \b(will|shall) be (?!happy|glad|brief|up\b|due\b|possible|useful|helpful|able|interest|grateful|of\b)\w+(ed|en|ne|ut|id)\b
    """
)
"""Ways to say what somebody will do for the reader, or what the reader gets: promises, whatever they are about."""
DATED_TIMES = _any(
    r"""
    \b(tomorrow|tonight|yesterday|overnight|fortnight|q[1-4]|christmas|easter|new year|midnight|noon)\b
    \b(next|coming|following) (week|month|quarter|year|weekend)\b|\b\d{1,2} ?(am|pm|o'clock)\b
    \bend of (the |this |next )?(week|month|quarter|year)\b
    \b(last|previous) (week|month|quarter|year|spring|summer|autumn|winter)\b
    """
)
"""Times that are as good as dates."""
COMMITMENTS = _any(
    r"""
    \b(we|i|our|team|engineers?|it|this|fix|patch|feature)\b[^.!?]{0,60}\b(will|shall|going to)\b
    \b(we|i|our|team|engineers?|it|this|fix|patch|feature)\b[^.!?]{0,60}\b(is due|are due|arrive|ship|land)\b
    \b(we|i|it)'ll\b|\b(due|ready|fixed|resolved|delivered|shipping|scheduled|expect)\b
    """
)
"""Words by which somebody commits to something."""
RELATIVE_TIMES = _any(
    r"""
    \b(today|tonight|tomorrow|overnight|shortly|soon|immediately|asap|eod|eow|q[1-4]|christmas|easter|new year)\b
    \b(this|next|coming|following) (week|month|quarter|year|release|sprint|weekend)\b|\b(right|straight) away\b
    \b(by|before|until) (the )?(end|close|start|middle)\b
    \bend of (the |this |next )?(day|week|month|quarter|year)\b
    \bwithin (a |an |the |\d+ |\w+ )?(hour|day|week|month)s?\b|\b(spring|summer|autumn|winter)\b
    \bin (a |an |the next |the coming )?(few |couple of )?(hour|day|week|month)s?\b
    \b(by|before) (mon|tues|wednes|thurs|fri)day
    """
)
"""Times by which something might be promised to happen."""
