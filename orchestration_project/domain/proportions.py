"""Proportions: how sure a share is that was counted."""

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Share:
    """How many of so many cases it was; of none, nothing is known."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | tuple[None, None]:
        """Its 95 % score interval."""
        return wilson(self.count / self.of, self.of) if self.of else (None, None)


def wilson(share: float, count: float, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a share that was found among `count` independent cases (Wilson 1927)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - reach) / (1 + z * z / count), (centre + reach) / (1 + z * z / count)
