"""Ranges: refuses numbers that are unknown or out of range, by name and row."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Numbers: TypeAlias = Sequence[float] | np.ndarray


def accepted(
    name: str,
    values: "float | Numbers",
    good: "Callable[[np.ndarray], np.ndarray]",
    rule: str,
) -> "np.ndarray":
    """A number, or one per row, as floats if all are `good`; NaN compares with nothing, so in no range it is.

    Raises ValueError with the name, the first wrong value and its row, and the `rule` that mends it.
    """
    import numpy as np

    array = np.asarray(values, dtype=float)
    if array.ndim > 1:
        raise ValueError(f"{name} has {array.ndim} dimensions; pass one value per row.")
    wrong = np.flatnonzero(~good(array))
    if not wrong.size:
        return array
    where = f" in row {wrong[0]}" if array.ndim else ""
    more = f" ({wrong.size} rows are wrong)" if wrong.size > 1 else ""
    raise ValueError(f"{name} is {array.flat[wrong[0]]:g}{where}{more}; {rule}.")


def number(name: str, value: float, good: "Callable[[np.ndarray], np.ndarray]", rule: str) -> float:
    """A single number, if it is `good`; raises ValueError as `accepted` does."""
    array = accepted(name, value, good, rule)
    if array.ndim:
        raise ValueError(f"{name} has {array.size} values; pass a single number.")
    return float(array)


def between(name: str, value: float, low: float = 0, high: float = 1) -> float:
    """A number strictly between two others; raises ValueError on any other."""
    return number(name, value, lambda x: (x > low) & (x < high), f"pass a number between {low:g} and {high:g}")


def share(name: str, value: float) -> float:
    """A number from 0 to 1; raises ValueError on any other."""
    return number(name, value, lambda x: (x >= 0) & (x <= 1), "pass a share from 0 to 1")


def count(name: str, value: float) -> int:
    """A whole number that is not negative; raises ValueError on any other."""
    import numpy as np

    return int(number(name, value, lambda x: (x >= 0) & (x == np.floor(x)) & np.isfinite(x), "pass a count"))


def outcomes(name: str, values: "Numbers") -> "np.ndarray":
    """Outcomes, 1 for who left and 0 for who stayed; raises ValueError on any other, such as the unknown."""
    rule = "pass 1 for who left and 0 for who stayed, and leave out outcomes that have not matured"
    return accepted(name, values, lambda x: (x == 0) | (x == 1), rule)


def same_length(**arrays: "np.ndarray") -> None:
    """Raises ValueError where arrays that describe the same rows differ in length."""
    lengths = {name: array.size for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"Rows do not match: {told}; pass one value of each per row.")
