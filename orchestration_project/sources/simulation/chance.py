"""Chance: random numbers addressed by what they decide, so that one customer's luck never moves another's."""

from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


class Chance:
    """The luck of one seed: one number per (purpose, customer, day), whoever else is asked for and in what order.

    A splitmix64 hash of the address takes the place of a generator's stream, whose numbers would shift for
    everyone as soon as one customer more or fewer is drawn.
    """

    def __init__(self, seed: int):
        self._seed = seed

    def words(self, purpose: str, who: Ints, day: int = 0) -> NDArray[np.uint64]:
        """64 random bits per customer."""
        address = blake2b(f"{self._seed}/{purpose}/{day}".encode(), digest_size=8).digest()
        words = who.astype(np.uint64)
        words *= _STEP
        words += np.uint64(int.from_bytes(address, "little"))
        for shift, factor in _MIXERS:
            words ^= words >> shift
            words *= factor
        words ^= words >> np.uint64(31)
        return words

    def uniform(self, purpose: str, who: Ints, day: int = 0) -> Floats:
        """One number in (0, 1) per customer."""
        return ((self.words(purpose, who, day) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def lanes(self, purpose: str, who: Ints, day: int = 0) -> Floats:
        """Four coarse (16 bit) numbers in (0, 1) per customer, as four rows."""
        lanes = self.words(purpose, who, day).view(np.uint16).reshape(-1, 4).T.astype(np.float64)
        lanes += 0.5
        lanes *= 2.0**-16
        return lanes

    def normal(self, purpose: str, who: Ints, day: int = 0) -> Floats:
        """A nearly normal number per customer: four uniform ones, summed and standardised."""
        lanes = self.words(purpose, who, day).view(np.uint16).reshape(-1, 4)
        total = lanes[:, 0].astype(np.float64)
        for lane in range(1, 4):
            total += lanes[:, lane]
        total *= 2.0**-16
        total -= 2
        total *= 3**0.5
        return total
