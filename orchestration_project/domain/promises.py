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
