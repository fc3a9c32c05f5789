"""Steps: what the table that a step writes, and the next one reads, must be like: as a whole, and row by row.

Columns and types are those of `lake_tables`; what is said here is which values they may have. All rules of a table are
one expression, so that an engine judges its rows in one pass.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import pairwise
from operator import and_

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandera.ibis as pa
from pandera.api.ibis.types import IbisData
from pandera.config import ValidationDepth, config_context
from pandera.engines import ibis_engine
from pandera.errors import SchemaError, SchemaErrorReason

from orchestration_project.contracts.lake_tables import LAKE_TABLES, ContractError
from orchestration_project.contracts.manifest import PLAY_TEMPLATES, SCORES
from orchestration_project.domain.plan import STAGES
from orchestration_project.domain.rules import AUTONOMY, FAMILIES
from orchestration_project.domain.scoring import EXCEPTIONS
from orchestration_project.domain.vocabulary import LANGUAGES

LARGEST = sys.float_info.max
TRENDS = ("up", "flat", "down", "stopped", "insufficient_history", "unknown")
BANDS = ("low", "medium", "high")
NEXT_ACTIONS = ("monitor", "outreach", "alert", "human_review", "data_quality_review")
STATES = ("verified", "review")
TEXTS = ibis.dtype("array<string>")


@ibis_engine.Engine.register_dtype(equivalents=[TEXTS])
class _Texts(ibis_engine.DataType):
    """Lists of texts, which pandera does not know by itself."""

    type = TEXTS

    def __init__(self) -> None:
        """Its parent's warns that it is not pandera's own."""


def _values(hold: Callable[[ir.Value], ir.BooleanValue], error: str) -> pa.Check:
    """A rule about the values of a column; a value that is not known breaks none."""
    return pa.Check(lambda data: hold(data.table[data.key]), error=error)


def _rows(hold: Callable[[ir.Table], ir.BooleanValue], error: str) -> pa.Check:
    """A rule about values that stand in one row; unknown is no breach."""
    return pa.Check(lambda data: hold(data.table), error=error)


def _between(least: float, most: float) -> pa.Check:
    return _values(lambda value: value.between(least, most), f"is not between {least:g} and {most:g}")


def _one_of(names: Sequence[str]) -> pa.Check:
    return _values(lambda value: value.isin(names), f"is none of {', '.join(names)}")


def _each(check: pa.Check, *columns: str) -> dict[str, pa.Check]:
    return dict.fromkeys(columns, check)


def _together(one: str, other: str) -> pa.Check:
    """Two columns of which both are known or neither is."""
    return _rows(lambda row: row[one].notnull() == row[other].notnull(), f"only one of {one} and {other} is there")


def _either(one: str, other: str) -> pa.Check:
    """Two columns of which exactly one is known."""
    return _rows(
        lambda row: row[one].notnull() == row[other].isnull(), f"not exactly one of {one} and {other} is there"
    )


def _in_order(*columns: str) -> pa.Check:
    """Counts of which none is larger than the next."""
    pairs = list(pairwise(columns))
    return _rows(
        lambda row: reduce(and_, (row[one] <= row[other] for one, other in pairs)),
        f"{', '.join(columns)} do not ascend",
    )


SHARE = _between(0, 1)
AMOUNT = _values(lambda value: value.between(0, LARGEST), "is negative or not finite")
PERCENT_LESS = _values(lambda value: value.between(-LARGEST, 100), "is above 100 or not finite")
TEXT = _values(lambda value: value.strip().length() > 0, "is empty")
BY_TYPE: Mapping[str, pa.Check] = {
    "int64": _values(lambda value: value >= 0, "is negative"),
    "float64": _values(lambda value: value.between(-LARGEST, LARGEST), "is not finite"),
}
"""Rules of columns that have none of their own: every whole number counts something."""

ALWAYS = ("customer_id", "scan_day")
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "customer_profiles": (*ALWAYS, "signed_up_at", "complete"),
    "usage_trends": (*ALWAYS, "significant", "trend"),
    "risk_factors": (*ALWAYS, "rules_version"),
    "risk_scores": (*ALWAYS, "confidence", "next_action", "weights_version", "scored_at"),
    "action_plan": (*ALWAYS, "action"),
    "outreach_drafts": (
        *ALWAYS, "play", "variant", "factor", "language", "subject", "body", "state", "problems", "written_by", "facts",
    ),
    "account_alerts": (
        *ALWAYS, "score", "narrative", "recommended_actions", "state", "problems", "written_by", "facts",
    ),
}  # fmt: skip
"""The tables of steps, each with the columns that no row lacks."""

_WINDOWS = {
    "active_days_7d": _between(0, 7), "active_days_30d": _between(0, 30), "active_days_prior_60d": _between(0, 60),
    "active_days_180d": _between(0, 180), "active_days_365d": _between(0, 365), "observed_days": _between(0, 365),
    "decline_pct": PERCENT_LESS, **_each(AMOUNT, "usage_30d", "usage_year_ago", "typical_gap_days"),
}  # fmt: skip
_CONTACTS_AND_TICKETS = {
    "satisfaction_90d": _between(1, 5), "engagement_decline_pct": PERCENT_LESS,
    **_each(AMOUNT, "tickets_open_days", "tickets_prior_monthly", "overdue_amount", "typical_invoice", "mrr",
            "engagement_typical_gap_days"),
}  # fmt: skip
_SCORE = _between(*SCORES)

VALUES: Mapping[str, Mapping[str, pa.Check]] = {
    "customer_profiles": {**_CONTACTS_AND_TICKETS, "customer_id": TEXT, "engagement_observed_days": _between(0, 365)},
    "usage_trends": {
        **_WINDOWS, "trend": _one_of(TRENDS),
        **_each(AMOUNT, "usage_prior_60d", "rate_30d", "rate_prior_60d", "calendar_ratio"),
    },
    "risk_factors": {
        **_WINDOWS, **_CONTACTS_AND_TICKETS, **_each(SHARE, *FAMILIES, "silence"), "exception": _one_of(EXCEPTIONS),
    },
    "risk_scores": {
        "score": _SCORE, **_each(SHARE, "probability", "confidence"), "band": _one_of(BANDS),
        "next_action": _one_of(NEXT_ACTIONS),
    },
    "action_plan": {
        "action": _one_of(NEXT_ACTIONS), "state": _one_of(BANDS), **_each(SHARE, "variant_propensity", "propensity"),
        "expected_loss": AMOUNT, "stopped_at": _one_of(STAGES), "autonomy": _one_of(AUTONOMY),
    },
    "outreach_drafts": {
        "variant": _one_of(PLAY_TEMPLATES), "factor": _one_of(FAMILIES), "language": _one_of(LANGUAGES),
        **_each(TEXT, "play", "subject", "body"), "state": _one_of(STATES),
    },
    "account_alerts": {
        "score": _SCORE, "narrative": TEXT, "state": _one_of(STATES),
        "recommended_actions": _values(lambda value: value.length() > 0, "is empty"),
    },
}  # fmt: skip
"""Rules of columns, where those of their type are not enough."""

_ACTIVE = (
    _in_order("active_days_7d", "active_days_30d", "active_days_180d", "active_days_365d"),
    _rows(lambda row: row.active_days_30d + row.active_days_prior_60d <= row.active_days_180d,
          "active_days_30d and active_days_prior_60d are more than active_days_180d"),
)  # fmt: skip
_TICKETS = _in_order("tickets_urgent_open", "tickets_open")
_VERIFIED = _rows(lambda row: (row.state == "verified") == (row.problems.length() == 0), "state and problems differ")

ROWS: Mapping[str, tuple[pa.Check, ...]] = {
    "customer_profiles": (_TICKETS,),
    "usage_trends": (*_ACTIVE, _either("usage_30d", "usage_missing")),
    "risk_factors": (*_ACTIVE, _TICKETS, *(_either(family, f"{family}_reason") for family in FAMILIES)),
    "risk_scores": (
        _either("score", "no_score_reason"), _together("score", "contributions"), _together("score", "band"),
    ),
    "action_plan": (),
    "outreach_drafts": (_VERIFIED,),
    "account_alerts": (_VERIFIED,),
}  # fmt: skip
"""Rules about more than one column of a row."""


@cache
def contract(table: str) -> pa.DataFrameSchema:
    """The contract of a step's table."""
    columns = {
        column.name: pa.Column(
            ibis.dtype(column.type),
            [check] if (check := VALUES[table].get(column.name, BY_TYPE.get(column.type))) else [],
            nullable=column.name not in REQUIRED[table],
        )
        for column in LAKE_TABLES[table]
    }
    return pa.DataFrameSchema(columns, list(ROWS[table]), strict=True, name=table)


def require_columns(table: str, rows: ir.Table, fix: str) -> None:
    """Raises `ContractError` where a table has other columns or types than its contract says; computes nothing."""
    kinds = rows.schema()
    found = {name: _plain(kind) for name, kind in kinds.items()}
    if found == {column.name: ibis.dtype(column.type) for column in LAKE_TABLES[table]}:
        return
    shape = ibis.table(found, name=table)
    try:
        with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
            contract(table).validate(shape, lazy=True)
    except pa.errors.SchemaErrors as error:
        causes = dict.fromkeys(_cause(each, kinds) for each in error.schema_errors)
        raise ContractError(table, ", and ".join(causes), fix) from error


def keeps(table: str, rows: ir.Table) -> ir.BooleanValue:
    """Whether a row keeps the contract; never null."""
    return reduce(and_, (holds for _, holds in _verdicts(table, rows))).fill_null(True)


def breach(table: str, rows: ir.Table) -> ir.StringValue:
    """The first rule that a row breaks, as a reason; null where it keeps the contract."""
    return ibis.cases(*((~holds, f"{table}: {reason}") for reason, holds in _verdicts(table, rows)))


def _verdicts(table: str, rows: ir.Table) -> Iterator[tuple[str, ir.BooleanValue]]:
    """Each rule of a contract, and whether a row keeps it; null where it is about what is not known."""
    schema = contract(table)
    for name, column in schema.columns.items():
        if not column.nullable:
            yield f"{name} is missing", rows[name].notnull()
        for check in column.checks:
            yield f"{name} {check.error}", _holds(check, rows, name)
    for check in schema.checks:
        yield str(check.error), _holds(check, rows)


def _holds(check: pa.Check, rows: ir.Table, column: str | None = None) -> ir.BooleanValue:
    # Pandera runs a query per check, and to call one builds all that a failure would be told with: ten times as slow.
    holds: ir.BooleanValue = check._check_fn(IbisData(rows, column))
    return holds


def _plain(kind: dt.DataType) -> dt.DataType:
    """A type without the precision of times; one that pandera doesn't know is none that a contract has."""
    if kind.is_timestamp():
        return dt.Timestamp(timezone=kind.timezone)
    try:
        ibis_engine.Engine.dtype(kind)
    except TypeError:
        return dt.binary
    return kind


def _cause(error: SchemaError, kinds: ibis.Schema) -> str:
    if error.reason_code == SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
        return f"column {error.failure_cases} is not there"
    if error.reason_code == SchemaErrorReason.COLUMN_NOT_IN_SCHEMA:
        return f"column {error.failure_cases} does not belong there"
    return f"column {error.schema.name} is {kinds[error.schema.name]} and not {error.schema.dtype}"
