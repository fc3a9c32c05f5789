"""Lives: how customers fare from day to day, how they come to leave, and what outreach changes about it."""

from dataclasses import dataclass

import numpy as np

from orchestration_project.sources.simulation.chance import Chance, Floats, Ints
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.profiles import Profiles, day_number

NEVER = 2**31 - 1
EFFECT_DAYS = 60
WAYS = ("", "slow_fade", "sudden_stop", "support_anger", "payment_trouble", "no_warning")
FADE, STOP, ANGER, PAYMENT, SILENT = range(1, 6)

_SHORTEST = np.array([0, 70, 20, 35, 70, 20])
_LONGEST = np.array([0, 140, 40, 75, 110, 60])
_MEMORY, _SPREAD, _LEVELS = 0.97, 0.55, 0.6
_PULL = 0.8
_SEGMENT_RISK = np.array([1.2, 0.85, 0.6])


@dataclass(frozen=True)
class Turn:
    """A change of what is known about a customer's leaving: a notice, a leave without one, or a notice withdrawn."""

    who: Ints
    hour: int
    day: Ints
    leaves: Ints


class Lives:
    """The state of every customer on one day, moved on by `advance`.

    A leave is planned some weeks ahead, with a way that shapes the data until it happens. An outreach undoes a plan
    to leave within the 60 days after it with the known probability, which is the known drop of the hazard; a second
    outreach meets the same luck. Chance is addressed by customer, so nobody else is affected.
    """

    def __init__(self, company: Company, profiles: Profiles, chance: Chance):
        everyone = profiles.everyone
        self._company, self._profiles, self._chance, self._everyone = company, profiles, chance, everyone
        self._start = day_number(company.start)
        self._level = _LEVELS * chance.normal("level", everyone)
        self.health = self._level + _SPREAD * chance.normal("health", everyone)
        self.way = np.zeros(len(everyone), dtype=np.int64)
        self.began, self.leaves, self.notice, self.saved = (np.full(len(everyone), NEVER) for _ in range(4))
        self._outreach = np.full(len(everyone), -NEVER)
        self._luck = np.ones(len(everyone))
        self.turns: list[Turn] = []

    def advance(self, day: int, treated: Ints) -> None:
        """Move to a day, on which some customers receive an outreach."""
        shock = _SPREAD * np.sqrt(1 - _MEMORY**2) * self._chance.normal("health", self._everyone, day)
        self.health = self._level + _MEMORY * (self.health - self._level) + shock
        self._outreach[treated] = day
        self._plan(day)
        self._save(day)
        self._tell(day)

    def active(self, day: int) -> Ints:
        """Customers who signed up before a day and have not left by its end."""
        return np.flatnonzero((self._profiles.signed < day) & (self.leaves > day))

    def leave_probability(self, who: Ints, day: int) -> Floats:
        """How likely customers leave within 90 days: certain or impossible once planned, else by their health."""
        exposure = (self._shares(day) * np.clip(90 - np.linspace(_SHORTEST, _LONGEST), 0, None)).sum(axis=1).mean()
        ahead = self._level[who] + 0.55 * (self.health[who] - self._level[who])
        unplanned = -np.expm1(-exposure * self._risk(who, day, ahead))
        return np.where(self.leaves[who] < NEVER, self.leaves[who] - day <= 90.0, unplanned)

    def usage_left(self, who: Ints, day: int) -> Floats:
        """The share of their usage that the way of leaving leaves to customers; a trace, never 0, after a stop."""
        way, left = self.way[who], np.ones(len(who))
        planned = np.flatnonzero(way)
        began, leaves = self.began[who[planned]], self.leaves[who[planned]]
        progress = (day - began) / (leaves - began)
        choices = [np.exp(-3 * progress), np.full(len(planned), 1e-9), 1 - 0.5 * progress, 1 - 0.3 * progress]
        left[planned] = np.select([way[planned] == leaving for leaving in (FADE, STOP, ANGER, PAYMENT)], choices, 1.0)
        return left

    def _risk(self, who: Ints, day: int, health: Floats) -> Floats:
        """The chance per day that a plan to leave begins; higher in the months before a renewal."""
        to_renewal = self._profiles.renewal(who, day) - day
        spread = np.exp(_PULL**2 * (_SPREAD**2 + _LEVELS**2) / 2)
        daily = self._company.monthly_churn / 30.44 / spread
        near = np.where((to_renewal > 30) & (to_renewal <= 120), 1.6, 0.8)
        return daily * near * _SEGMENT_RISK[self._profiles.segment[who]] * np.exp(-_PULL * health)

    def _shares(self, day: int) -> Floats:
        """The share of each way among plans to leave that begin on a day; the first stands for not leaving."""
        shift = self._company.shift
        shifted = shift is not None and day >= day_number(shift.on)
        return np.array([0.0, *(shift.ways if shift is not None and shifted else self._company.ways)])

    def _plan(self, day: int) -> None:
        free = np.flatnonzero((self.leaves == NEVER) & (self._profiles.signed < day))
        way = np.searchsorted(self._shares(day).cumsum(), self._chance.uniform("way", free, day))
        lead = self._lead(way, free, day)
        # On the first day the plans of the past weeks are caught up with, so that leaves are steady from the start.
        exposure, passed = (lead, lead * self._chance.uniform("passed", free, day)) if day == self._start else (1, 0)
        begins = self._chance.uniform("plan", free, day) < -np.expm1(
            -exposure * self._risk(free, day, self.health[free])
        )
        who, lead = free[begins], lead[begins]
        self.way[who] = way[begins]
        self.began[who] = day - np.broadcast_to(passed, begins.shape)[begins].astype(np.int64)
        self.leaves[who] = self.began[who] + lead
        self._luck[who] = self._chance.uniform("saved", who, day)
        self._give_notice(who, lead, day)

    def _lead(self, way: np.ndarray, who: Ints, day: int) -> Ints:
        span = self._chance.uniform("lead", who, day) * (_LONGEST - _SHORTEST + 1)[way]
        return _SHORTEST[way] + span.astype(np.int64)

    def _give_notice(self, who: Ints, lead: Ints, day: int) -> None:
        ahead = np.minimum(10 + (self._chance.uniform("notice ahead", who, day) * 31).astype(np.int64), lead)
        gives = self._chance.uniform("notice", who, day) < 0.4
        self.notice[who] = np.where(gives, np.maximum(self.leaves[who] - ahead, self._profiles.signed[who] + 1), NEVER)

    def _save(self, day: int) -> None:
        in_reach = (self.leaves > day) & (self.leaves - self._outreach <= EFFECT_DAYS)
        saved = np.flatnonzero(in_reach & (self._luck < self._company.outreach_effect))
        noticed = saved[self.notice[saved] < day]
        self.turns.append(Turn(noticed, 18, np.full(len(noticed), day), np.full(len(noticed), NEVER)))
        self.way[saved] = 0
        self.began[saved] = self.leaves[saved] = self.notice[saved] = NEVER
        self.saved[saved] = day

    def _tell(self, day: int) -> None:
        heard = self.notice <= day if day == self._start else self.notice == day
        notices = np.flatnonzero(heard)
        silent = np.flatnonzero((self.leaves == day) & (self.notice == NEVER))
        self.turns.append(Turn(notices, 13, self.notice[notices], self.leaves[notices]))
        self.turns.append(Turn(silent, 1, self.leaves[silent], self.leaves[silent]))
