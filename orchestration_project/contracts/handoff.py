"""Handoffs: what one step gives to the next about one customer, as validated values with a version.

Code that reads handoffs from elsewhere calls `parsed`. What a version may gain is decided in `compatibility.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from orchestration_project.contracts.lake_tables import LAKE_TABLES

SCHEMA_VERSION = 1
"""Raised with every change after which a document that was valid is valid no more."""

Status = Literal["ok", "partial", "missing", "failed"]
State = Literal["verified", "review"]


class HandoffError(Exception):
    """A handoff that does not fit its contract; names it, the cause and the fix."""


def _utc(time: datetime) -> datetime:
    """Times without a zone are UTC, as everywhere in the lake."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=1, le=10)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0)]


class Data(BaseModel):
    """What a step found out. Fields that a reader does not know are ignored: a version may gain some."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Profile(Data):
    """What was known of a customer; what is missing is null, and `missing` has the reasons."""

    kind: Literal["profile"]
    name: str | None
    segment: str | None
    industry: str | None
    employee_count: Count | None
    plan: str | None
    mrr: Rate | None
    signed_up_at: Moment
    renews_at: Moment | None
    owner: str | None
    contact_name: str | None
    contact_email: str | None
    language: str | None
    timezone: str | None
    opted_out: bool | None
    leaves_on: date | None
    tickets_30d: Count | None
    tickets_open: Count | None
    tickets_urgent_open: Count | None
    tickets_open_days: float | None
    tickets_prior_monthly: Rate | None
    satisfaction_90d: float | None
    tickets_missing: str | None
    invoices_known: Count | None
    overdue_count: Count | None
    failed_payments_90d: Count | None
    overdue_amount: Rate | None
    overdue_days: Count | None
    typical_invoice: Rate | None
    payments_missing: str | None
    engagement_30d: Count | None
    engagement_prior_60d: Count | None
    engagement_days_since: Count | None
    engagement_typical_gap_days: Rate | None
    engagement_observed_days: Count | None
    engagement_decline_pct: float | None
    notice_given: bool | None
    engagement_missing: str | None
    usage_missing: str | None
    missing: dict[str, str]
    complete: bool


class UsageTrend(Data):
    """How a customer's use of the last 30 days stands against the 60 before."""

    kind: Literal["usage_trend"]
    usage_trend: Literal["up", "flat", "down", "stopped", "insufficient_history", "unknown"] = Field(
        description="Direction of use, or why there is none"
    )
    decline_percentage: float | None = Field(
        description="Decline against the 60 days before and the calendar, in percent; null where it is unknown"
    )
    risk_factors: tuple[str, ...] = Field(description="Factor families that the trend alone speaks for")
    overlap_decline_percentage: float | None = Field(
        description="Decline of 30 against 90 days including them: understates it, kept for comparison"
    )
    significant: bool
    decline_z: float | None
    usage_30d: Rate | None
    usage_prior_60d: Rate | None
    rate_30d: Rate | None
    rate_prior_60d: Rate | None
    active_days_30d: Count | None
    active_days_prior_60d: Count | None
    last_used_on: date | None
    days_since_use: Count | None
    typical_gap_days: Rate | None
    observed_days: Count | None
    usage_missing: str | None


class RiskAssessment(Data):
    """A customer's risk with its reasons, or why there is none."""

    kind: Literal["risk_assessment"]
    score: Score | None
    no_score_reason: str | None
    probability: Share | None
    band: Literal["low", "medium", "high"] | None
    confidence: Share
    risk_factors: tuple[str, ...] = Field(description="Families, signals and exceptions that raised the score")
    contributions: dict[str, float] = Field(description="What each family added; sums to score - 1, empty without one")
    next_action: str
    weights_version: str

    @model_validator(mode="after")
    def _told(self) -> Self:
        if (self.score is None) == (self.no_score_reason is None):
            raise ValueError("there is either a score or a reason why there is none")
        return self


class Draft(Data):
    """A message to a customer that nobody has sent yet."""

    kind: Literal["draft"]
    play: str
    factor: str
    language: str
    subject: str
    body: str
    state: State
    problems: tuple[str, ...]
    written_by: str
    model_failure: str | None


class Alert(Data):
    """What an account manager is told of a customer at high risk."""

    kind: Literal["alert"]
    owner: str | None
    score: Score
    narrative: str
    recommended_actions: tuple[str, ...]
    state: State
    problems: tuple[str, ...]
    written_by: str
    model_failure: str | None


class Attempt(Data):
    """One call of a tool: when it began, in seconds since its step did, how long it took, and what went wrong."""

    number: Count
    at_seconds: Rate | None = None
    seconds: Rate | None = None
    error: str | None = None


class Failure(Data):
    """What a step could not do or use, and who is to look at it."""

    kind: Literal["failure"]
    key: str
    about: str
    error_class: Literal["missing_or_invalid_data", "tool_failure", "unexpected_output", "human_needed"]
    reason: str
    pathway: str
    cases: Count = Field(description="Customers that failed in the same way; of quarantined rows, their number")
    attempts: tuple[Attempt, ...] = Field(description="Calls that were made for the customer; none of quarantined rows")
    queue: str | None = Field(
        description="Where a person looks for it; null of quarantined rows, which wait for nobody"
    )
    owner: str
    deadline: Moment | None
    expires_at: Moment | None


AnyData = Annotated[Profile | UsageTrend | RiskAssessment | Draft | Alert | Failure, Field(discriminator="kind")]

TABLES: Mapping[type[Data], str] = {
    Profile: "customer_profiles", UsageTrend: "usage_trends", RiskAssessment: "risk_scores",
    Draft: "outreach_drafts", Alert: "account_alerts", Failure: "escalations",
}  # fmt: skip
"""The lake table that each kind of data is a row of."""


class Envelope(BaseModel):
    """What every handoff says, whatever it is about."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = Field(description="Version of this contract")
    workflow_id: str = Field(description="The workflow, as its manifest is called")
    step: str = Field(description="The step that hands over, as the manifest names it")
    customer_id: str | None = Field(description="The customer; null of quarantined rows that name none")
    as_of: date = Field(description="The scan day that it is about")
    data: AnyData | None = Field(description="What the step found out; null where it has nothing about the customer")
    next_step: str | None = Field(description="The step or end that the customer takes next; null where the way ends")
    timestamp: Moment = Field(description="When it was computed or raised, UTC")
    run_id: str | None = Field(description="The Dagster run that wrote it, where the home's instance knows it")
    attempt: Count = Field(description="Calls that were made for the customer; 1 where none failed, 0 where none began")
    status: Status = Field(
        description="`ok`; `partial`: usable, but something is lacking; `missing`: there is nothing; `failed`"
    )
    reasons: tuple[str, ...] = Field(description="Why the status is not ok; empty where it is")
    config_version: str = Field(description="Versions of what decided: manifest, rules, weights, writer")
    idempotency_key: str = Field(description="The same for the same handoff, however often it is computed or read")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.status == "ok") == bool(self.reasons):
            raise ValueError("there are reasons exactly where the status is not ok")
        failed = isinstance(self.data, Failure)
        usable = self.data is not None and not failed
        if not {"ok": usable, "partial": usable, "missing": True, "failed": failed}[self.status]:
            raise ValueError(f"status {self.status} can't have {self.data.kind if self.data else 'no'} data")
        if self.idempotency_key != key_of(vars(self)):
            raise ValueError("idempotency_key is not that of the other fields")
        return self


def enveloped(**fields: Any) -> Envelope:
    """The envelope of these fields, with its version and key."""
    versioned = {"schema_version": SCHEMA_VERSION, **fields}
    return Envelope.model_validate({**versioned, "idempotency_key": key_of(versioned)})


def key_of(fields: Mapping[str, Any]) -> str:
    """The idempotency key of an envelope: one per workflow, step, customer, day, schema, configuration and failure."""
    names = ("workflow_id", "step", "customer_id", "as_of", "schema_version", "config_version")
    failure = fields["data"].key if isinstance(fields["data"], Failure) else None
    content = json.dumps([*(fields[name] for name in names), failure], default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def parsed(text: str | bytes) -> Envelope:
    """An envelope from its JSON; `HandoffError` where it is none, or of a version that is not known here."""
    try:
        told = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise HandoffError(f"The handoff is no JSON ({error}); have it written again.") from error
    version = told.get("schema_version") if isinstance(told, dict) else None
    if type(version) is not int or version != SCHEMA_VERSION:
        raise HandoffError(
            f"The handoff has schema_version {version!r}, and this release reads {SCHEMA_VERSION} only; use the "
            "release that wrote it, or have it written by this one."
        )
    try:
        return Envelope.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise HandoffError(
            f"The handoff does not fit schema_version {version}: {misfit(error)}; have it written again."
        ) from error


def misfit(error: ValidationError) -> str:
    """The first thing that does not fit, in words."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"


def schemas() -> Mapping[str, dict[str, Any]]:
    """The JSON Schemas of the envelope and of each kind of data, by name."""
    models: dict[str, type[BaseModel]] = {"envelope": Envelope}
    models |= {get_args(model.model_fields["kind"].annotation)[0]: model for model in TABLES}
    return {name: _described(model.model_json_schema()) for name, model in models.items()}


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """With what the lake's tables say of the columns that fields are called after."""
    tables = {model.__name__: LAKE_TABLES[table] for model, table in TABLES.items()}
    for model in (schema, *schema.get("$defs", {}).values()):
        meanings = {column.name: column.description for column in tables.get(model["title"], ())}
        for name, field in model["properties"].items():
            if name in meanings and "description" not in field:
                field["description"] = meanings[name]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
