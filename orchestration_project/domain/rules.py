"""Rules: the thresholds and weights that scans decide with, as validated, versioned values."""

import hashlib
import json
import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Family = Literal["usage_decline", "support_tickets", "payment_issues", "engagement_drop", "context"]
FAMILIES: tuple[Family, ...] = ("usage_decline", "support_tickets", "payment_issues", "engagement_drop", "context")
"""Factor families, in the order in which contributions are added up."""
Autonomy = Literal["shadow", "draft", "approve", "auto"]
AUTONOMY: tuple[Autonomy, ...] = ("shadow", "draft", "approve", "auto")
"""How far an action may go by itself, from not at all to the customer."""

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

FAMILY_SOURCES = {
    "usage_decline": "usage_events",
    "support_tickets": "support_tickets",
    "payment_issues": "invoices",
    "engagement_drop": "engagements",
    "context": "customers",
}
"""The source table without which a family does not exist."""

STALE_AFTER_DAYS = {"usage_events": 3, "support_tickets": 30, "invoices": 45, "engagements": 14}

RECENT_DAYS = 30
PRIOR_DAYS = 60
RHYTHM_DAYS = 365
YEAR_AGO_DAYS = 364
"""52 weeks, so that weekdays meet weekdays."""


class Rules(BaseModel):
    """Base of all rule groups: unknown keys are errors, values can't be changed once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ChurnRules(Rules):
    """What counts as having left, and so who is in a scan."""

    kind: Literal["contract", "inactivity"] = Field(
        "contract", description="`contract`: `churned_at` says so. `inactivity`: no usage for `days`."
    )
    days: int = Field(90, ge=1, le=730, description="Days without usage that mean churned (inactivity only).")
    active_window_days: int = Field(
        180, ge=1, le=RHYTHM_DAYS, description="A scan holds customers who used within this window (inactivity only)."
    )


class SeverityRules(Rules):
    """From signals to severities in [0, 1]."""

    decline_threshold_pct: float = Field(
        20, ge=0, lt=100, description="Decline, in percent, above which severity rises."
    )
    decline_span_pct: Positive = Field(60, description="Percent above the threshold at which severity is 1.")
    significance_z: Positive = Field(1.645, description="z below minus which a decline is called significant.")
    min_prior_active_days: int = Field(
        3, ge=1, description="Active days the 60 prior days need before a decline is told."
    )
    gap_half: Positive = Field(3, description="Silence, in typical gaps, at which its severity is one half.")
    gap_floor_days: Positive = Field(4, description="Shortest gap that silence is measured in: a weekend says nothing.")
    horizon_days: int = Field(
        90, ge=7, le=365, description="Days after a scan day within which leaving is to be foreseen."
    )
    gap_prior_weight: Positive = Field(3, description="Weight of the population's gap, in gaps, in a customer's own.")
    season_clip: float = Field(2, ge=1, description="How far the calendar may explain a change: factor up or down.")
    season_min_customers: int = Field(100, ge=1, description="Customers with full history needed to tell the season.")
    ticket_ratio_span: Positive = Field(2, description="Tickets over baseline, minus 1, at which severity is 1.")
    ticket_floor: Positive = Field(1, description="Lowest monthly baseline of tickets: one ticket is no spike.")
    ticket_baseline_days: int = Field(180, ge=30, le=720, description="Days before the last 30 that make the baseline.")
    overdue_days_full: Positive = Field(45, description="Days overdue at which severity is 1.")
    failed_payments_full: Positive = Field(3, description="Failed payments in 90 days at which severity is 1.")
    stopped_min_days: int = Field(14, ge=1, description="Silence that counts as stopped, at least.")
    stopped_gaps: Positive = Field(3, description="Silence that counts as stopped, in typical gaps.")
    stopped_min_active_days: int = Field(5, ge=1, description="Active days in a year that `active before` needs.")
    notice_kinds: tuple[str, ...] = Field(
        ("cancellation_notice",), description="Kinds of engagement that announce a cancellation."
    )
    stale_after_days: dict[str, int] = Field(
        default=STALE_AFTER_DAYS,
        description="Per source: days without any new row after which it is stale and its facts are missing.",
    )

    @field_validator("stale_after_days")
    @classmethod
    def _all_sources(cls, given: dict[str, int]) -> dict[str, int]:
        unknown = sorted(given.keys() - STALE_AFTER_DAYS.keys())
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no source that goes stale; use {', '.join(STALE_AFTER_DAYS)}")
        return STALE_AFTER_DAYS | given


class Weights(Rules):
    """Weights of the families: not negative, sum 1."""

    version: str = Field("prior-1", description="Name under which scores record these weights.")
    usage_decline: Share = Field(0.4, description="Weight of usage.")
    support_tickets: Share = Field(0.3, description="Weight of support tickets.")
    payment_issues: Share = Field(0.2, description="Weight of payments.")
    engagement_drop: Share = Field(0.1, description="Weight of engagement.")
    context: Share = Field(0.0, description="Weight of context; 0 until learned.")

    @model_validator(mode="after")
    def _sums_to_one(self) -> "Weights":
        total = sum(self.of(family) for family in FAMILIES)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"weights must sum to 1, these sum to {total:g}; change one of {', '.join(FAMILIES)}")
        prior = {name: field.default for name, field in type(self).model_fields.items()}
        if self.version == prior["version"] and any(self.of(family) != prior[family] for family in FAMILIES):
            raise ValueError(f"these weights are not those of {self.version}; give them a `version` of their own")
        return self

    def of(self, family: str) -> float:
        """Weight of one family."""
        return float(getattr(self, family))


class ScoringSettings(Rules):
    """From severities to score, confidence and next action, but for the bands, which a manifest says."""

    weights: Weights = Field(default_factory=Weights, description="Family weights.")
    min_present_weight: Share = Field(
        0.7, description="Share of the connected weight that must be present for a score."
    )
    medium_odds: float = Field(
        1.5, gt=0, description="Times the base odds of churn at which a learned score is medium."
    )
    high_odds: float = Field(6, gt=0, description="Times the base odds at which a learned score is high.")
    exception_floor: float = Field(8, ge=1, le=10, description="Lowest score of a customer with an exception.")
    min_confidence: Share = Field(0.5, description="Confidence below which a human decides.")
    factor_from: Share = Field(0.1, description="Severity from which a family is named among the factors.")

    @model_validator(mode="after")
    def _odds_in_order(self) -> Self:
        if self.medium_odds >= self.high_odds:
            raise ValueError(f"medium_odds ({self.medium_odds:g}) must be below high_odds ({self.high_odds:g})")
        return self


class ScoringRules(ScoringSettings):
    """From severities to score, band, confidence and next action."""

    medium_from: float = Field(4, ge=1, le=10, description="Score from which the band is medium.")
    high_from: float = Field(8, ge=1, le=10, description="Score from which the band is high.")

    @model_validator(mode="after")
    def _bands_in_order(self) -> Self:
        if self.medium_from >= self.high_from:
            raise ValueError(f"medium_from ({self.medium_from:g}) must be below high_from ({self.high_from:g})")
        return self

    @property
    def points_per_log_odds(self) -> float:
        """Points of a learned score that one unit of log-odds is worth."""
        return (self.high_from - self.medium_from) / math.log(self.high_odds / self.medium_odds)

    def learned_score(self, log_odds: Any, base_odds: float) -> Any:
        """Score of log-odds of churn before it is kept within 1 and 10; of numbers, arrays and expressions alike."""
        return self.medium_from + self.points_per_log_odds * (log_odds - math.log(self.medium_odds * base_odds))


class RiskSettings(Rules):
    """What a home chooses of the way from facts to scores."""

    severities: SeverityRules = Field(default_factory=SeverityRules, description="From signals to severities.")
    scoring: ScoringSettings = Field(default_factory=ScoringSettings, description="From severities to scores.")
    kinds_tracked: int = Field(8, ge=0, le=50, description="Most used kinds of usage of which rates are kept.")


class RiskRules(RiskSettings):
    """Everything that turns facts into scores; its version names a configuration for good."""

    scoring: ScoringRules = Field(default_factory=ScoringRules, description="From severities to scores.")

    @classmethod
    def of(cls, settings: RiskSettings, bands: tuple[float, float]) -> "RiskRules":
        """The rules of a home's settings, and the scores from which a manifest calls a risk medium and high."""
        scoring = {**dict(settings.scoring), "medium_from": bands[0], "high_from": bands[1]}
        return cls(
            severities=settings.severities, scoring=ScoringRules(**scoring), kinds_tracked=settings.kinds_tracked
        )

    @property
    def version(self) -> str:
        """Short content hash: equal rules have equal versions, on every machine."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


class CompletenessRules(Rules):
    """Which profile fields count; how many customers must have them, a manifest says."""

    required: tuple[str, ...] = Field(
        ("name", "segment", "plan", "mrr", "contact_email", "usage", "tickets", "payments", "engagement"),
        description="Profile fields that a complete profile has; fields whose source is not connected do not count.",
    )
    new_customer_days: int = Field(30, ge=0, description="Age in days up to which facts are not expected yet.")


class LearningRules(Rules):
    """How weights are learned from outcomes, and what a candidate must show."""

    training_months: int = Field(24, ge=1, le=120, description="Matured scan days, one a month, to learn from.")
    validation_months: int = Field(
        3, ge=1, le=24, description="Latest matured scan days, on which a candidate must prove itself."
    )
    half_life_months: Positive = Field(6, description="Age of a scan day at which it counts half.")
    min_tenure_days: int = Field(30, ge=0, description="Days since sign-up from which an outcome counts.")
    min_churners: int = Field(100, ge=10, description="Churners to learn from that weights need.")
    min_validation_churners: int = Field(30, ge=5, description="Churners to validate with that weights need.")
    rows_at_most: int = Field(
        200_000, ge=1000, description="Rows to learn from; of more, all churners and a weighted sample of the others."
    )
    gate_rate: float = Field(
        0.05, gt=0, lt=0.5, description="Share of candidates no better than the champion that may pass the gate."
    )
    slope_within: tuple[float, float] = Field(
        (0.6, 1.67), description="Calibration slope that a candidate's interval must touch."
    )
    by_segment: bool = Field(
        False, description="Whether segments with `min_churners` of their own may depart from the common curves."
    )
    approval: Literal["auto", "person"] = Field(
        "auto", description="`auto`: what passes the gate is used from the next month on. `person`: it waits."
    )
    control_share: float = Field(0.1, ge=0, lt=1, description="Share of customers that are never acted on, to learn.")
    control_salt: str = Field("control-1", min_length=1, description="Another salt draws another control group.")


class ImpactRules(Rules):
    """What a finding must show before it is called one, and when a play that harms is switched off."""

    least_of_interest: float = Field(
        0.25, gt=0, lt=1,
        description="Share of leaves averted from which an effect matters; it decides from how many customers on it "
        "may be said that none is shown.",
    )  # fmt: skip
    early_confidence: float = Field(
        0.999, gt=0.95, lt=1,
        description="Confidence with which an effect must show while there are fewer customers than that.",
    )  # fmt: skip
    fewest_to_switch_off: int = Field(
        100, ge=20, description="Known outcomes in each group from which a play that harms is switched off by rule."
    )
    switch_off_confidence: float = Field(
        0.99, gt=0.5, lt=1, description="Confidence of the interval that must lie below zero for that."
    )
