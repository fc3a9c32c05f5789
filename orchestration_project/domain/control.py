"""Control: who is left alone for comparison, and what the rows of those left alone stand for."""

from hashlib import sha256
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from orchestration_project.domain import ranges

if TYPE_CHECKING:
    import numpy as np

    from orchestration_project.domain.ranges import Numbers

DIGITS = 13
"""Hexadecimal digits of a share: 52 bits, about as many as a float tells apart."""


def in_control(customer_id: str, salt: str, share: float) -> bool:
    """Whether a customer is in the control group: for ever, whoever else there is; a higher `share` only adds.

    True where the SHA-256 digest of `salt/customer_id`, read as a fraction, is below `share` (0 to 1). Another salt
    draws another group. Raises ValueError for a share out of range, an empty salt or an identifier that is no text.
    """
    if not isinstance(customer_id, str):
        raise ValueError(f"customer_id is {customer_id!r}, which is no text; pass it as the sources have it.")
    return sha256(f"{_prefix(salt)}{customer_id}".encode()).hexdigest() < digest_below(share)


def control_flag(customer_id: ir.StringValue, salt: str, share: float) -> ir.BooleanValue:
    """The answer of `in_control` for a column, on any engine with SHA-256; null for a customer without identifier.

    Raises ValueError for a share out of range or an empty salt.
    """
    return (ibis.literal(_prefix(salt)) + customer_id).hexdigest("sha256") < digest_below(share)


def untreated_weights(treated: "Numbers", propensity: "Numbers", cap: float) -> "np.ndarray":
    """What each row stands for in a refit: 0 where we influenced the outcome, else 1 / (1 - propensity), up to `cap`.

    `propensity` is the probability with which a row was to be treated; it and `treated` have a value per row. The
    untreated rows then stand for all (Horvitz and Thompson 1952), but for what the cap takes away. Raises ValueError
    for an untreated row whose propensity is unknown, out of range or 1, since none like it can be untreated.
    """
    import numpy as np

    most = ranges.number("cap", cap, lambda x: x >= 1, "pass a number of at least 1, infinite for no cap")
    rule = "pass 1 where we influenced the outcome and 0 where we did not"
    acted = ranges.accepted("treated", treated, lambda x: (x == 0) | (x == 1), rule) == 1
    chance = np.asarray(propensity, dtype=float)
    ranges.same_length(treated=acted, propensity=chance)
    rule = "log for an untreated row with which probability, from 0 to below 1, it was to be treated, or leave it out"
    ranges.accepted("propensity", chance, lambda x: acted | ((x >= 0) & (x < 1)), rule)
    return np.where(acted, 0.0, np.minimum(1 / (1 - np.where(acted, 0.0, chance)), most))


def _prefix(salt: str) -> str:
    if not salt:
        raise ValueError("salt is empty; pass a text of this installation's own, and never change it.")
    return f"{salt}/"


def digest_below(share: float) -> str:
    """What the hexadecimal digest of a random text is below with a probability (`share`, 0 to 1).

    Compared as text, so that no engine has to turn digits into numbers.
    """
    told = ranges.share("share", share)
    return format(int(told * 16**DIGITS), f"0{DIGITS}x") if told < 1 else "g"
