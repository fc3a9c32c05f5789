"""Scoring: from severities to a score of 1-10 with exact contributions, band, confidence and next action."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.rules import FAMILIES, ScoringRules, Weights
from orchestration_project.domain.scorecard import Scorecard

FULL_HISTORY_DAYS = 90
MARGIN = 0.5
"""Distance from a band edge, in points, at which the band is beyond doubt."""

EXCEPTIONS = ("cancellation_notice", "usage_stopped")
ENTRIES = ("base", *FAMILIES, "limit", *EXCEPTIONS, "override")
"""Entries of the contributions, in the order in which they are added up."""
RAISES = 0.5
"""Points from which a family or signal of a learned score is named among what raised it."""


def score(
    factors: ir.Table,
    rules: ScoringRules,
    connected: Sequence[str],
    overrides: ir.Table | None = None,
    strict: bool = True,
    scorecard: Scorecard | None = None,
) -> ir.Table:
    """One row per customer and scan day: score, band, contributions, confidence, factors and next action.

    Under the prior weights `score = 1 + 9 * sum(w s) / sum(w present)` over the families that are present; under a
    `scorecard` it is linear in the log-odds of churn: `medium_from` at `medium_odds` times the base odds, `high_from`
    at `high_odds` times. Either needs families that carry at least `min_present_weight` of the weight of the
    `connected` ones; else it is null with a reason. The contributions sum to `score - 1`. `overrides` (customer_id,
    scan_day, override_score, override_reason) replace the score of a customer whose override is in force that day.
    Where not `strict`, a score that only lacks weight is told too.
    """
    table = scored_parts(factors, rules, connected, overrides, strict, scorecard)
    return _answers(table, rules, scorecard or rules.weights, scorecard.signals if scorecard else ())


def scored_parts(
    factors: ir.Table,
    rules: ScoringRules,
    connected: Sequence[str],
    overrides: ir.Table | None = None,
    strict: bool = True,
    scorecard: Scorecard | None = None,
) -> ir.Table:
    """The factors with `score`, `confidence`, `log_odds` and every contribution as `part_<name>`, on any engine."""
    model: Weights | Scorecard = scorecard or rules.weights
    table = _overridden(factors, overrides)
    present = sum(_weight(table, family, model) for family in FAMILIES)
    wanted = sum(model.of(family) for family in connected)
    enough = present >= rules.min_present_weight * wanted - 1e-9
    enough = (enough if strict else enough | table.exception.isnull()) & (present > 0)
    told = enough | table.exception.notnull() | table.override_score.notnull()
    parts = _learned(table, rules, scorecard) if scorecard else _prior(table, rules.weights, present)
    table = table.mutate(**parts, present=present, enough=enough, told=told)
    table = _with_limits(table, rules, learned=scorecard is not None)
    # Rounded, so that a floor of 8 is 8 and not the float before it.
    exact = (1 + sum(table[f"part_{name}"] for name in ENTRIES)).round(12)
    table = table.mutate(score=table.told.ifelse(exact, ibis.null("float64")))
    return _with_confidence(table, rules, wanted)


def _prior(table: ir.Table, weights: Weights, present: ir.FloatingValue) -> dict[str, ir.Value]:
    """Parts of the prior score, and which families raised it."""
    points = {
        f"part_{family}": (
            9 * _weight(table, family, weights) * table[family].fill_null(0) / present.nullif(0)
        ).fill_null(0.0)
        for family in FAMILIES
    }
    return {"part_base": ibis.literal(0.0), "log_odds": ibis.null("float64"), **points}


def _learned(table: ir.Table, rules: ScoringRules, scorecard: Scorecard) -> dict[str, ir.Value]:
    """Parts of a learned score: log-odds in points, base and families, and those of each signal."""
    scale = rules.points_per_log_odds
    families, signals = scorecard.family_points(table), scorecard.signal_points(table)
    level = scorecard.level(table)
    return {
        "part_base": rules.learned_score(level, scorecard.base_odds) - 1,
        "log_odds": level + sum(families.values()),
        **{f"part_{family}": scale * points for family, points in families.items()},
        **{f"signal_{name}": scale * points for name, points in signals.items()},
    }


def band(score_: ir.NumericValue, rules: ScoringRules) -> ir.StringValue:
    """Band of an unrounded score, half-open: low < medium_from <= medium < high_from <= high."""
    return ibis.cases(
        (score_.isnull(), ibis.null("string")),
        (score_ < rules.medium_from, "low"),
        (score_ < rules.high_from, "medium"),
        else_="high",
    )


def _overridden(factors: ir.Table, overrides: ir.Table | None) -> ir.Table:
    if overrides is None:
        return factors.mutate(override_score=ibis.null("float64"), override_reason=ibis.null("string"))
    wanted = overrides.select(
        "customer_id", "scan_day", "override_reason", override_score=overrides.override_score.clip(1, 10)
    )
    return factors.left_join(wanted, ["customer_id", "scan_day"]).drop("customer_id_right", "scan_day_right")


def _weight(table: ir.Table, family: str, model: Weights | Scorecard) -> ir.NumericValue:
    return table[family].notnull().ifelse(model.of(family), 0.0)


def _with_limits(table: ir.Table, rules: ScoringRules, learned: bool) -> ir.Table:
    """What the ends of the scale, an exception's floor and an override add to the other contributions."""
    measured = ("base", *FAMILIES)
    parts = {f"part_{name}": table.enough.ifelse(table[f"part_{name}"], 0.0) for name in measured}
    table = table.mutate(**parts)
    raw = 1 + sum(table[f"part_{name}"] for name in measured)
    # A prior score can't leave the scale; if it does, that is a fault for the checks to find, and none to hide.
    within = raw.clip(1, 10) if learned else raw
    table = table.mutate(part_limit=within - raw, subtotal=within)
    floor = ibis.greatest(rules.exception_floor - table.subtotal, 0.0)
    table = table.mutate(
        **{f"part_{name}": (table.exception == name).fill_null(False).ifelse(floor, 0.0) for name in EXCEPTIONS}
    )
    before = table.subtotal + sum(table[f"part_{name}"] for name in EXCEPTIONS)
    return table.mutate(part_override=(table.override_score - before).fill_null(0.0))


def _with_confidence(table: ir.Table, rules: ScoringRules, wanted: float) -> ir.Table:
    """Confidence in [0, 1]: coverage x history x margin, an ordinal index and no probability.

    Coverage is the present weight, half against the connected families and half against all; history grows to 1 at
    90 observed days; margin is the distance to the nearest band edge, up to half a point. A source that is stale counts
    as missing, so freshness is in the coverage.
    """
    coverage = 0.5 * table.present / max(wanted, 1e-9) + 0.5 * table.present
    seen = ibis.coalesce(table.observed_days, table.tenure_days, 0)
    history = (seen / FULL_HISTORY_DAYS).clip(0, 1)
    distance = ibis.least((table.score - rules.medium_from).abs(), (table.score - rules.high_from).abs())
    margin = (distance / MARGIN).clip(0, 1)
    index = coverage.clip(0, 1) * (0.5 + 0.5 * history) * (0.9 + 0.1 * margin)
    certain = table.override_score.notnull() | (table.exception == "cancellation_notice").fill_null(False)
    confidence = ibis.cases((certain, 1.0), (table.score.isnull(), 0.0), else_=index)
    return table.mutate(confidence=confidence.cast("float64"))


def _answers(table: ir.Table, rules: ScoringRules, model: Weights | Scorecard, signals: Sequence[str]) -> ir.Table:
    contributions = ibis.struct({name: table[f"part_{name}"] for name in ENTRIES}).cast("map<string, float64>")
    bands, none = band(table.score, rules), table.score.isnull()
    probability = 1 / (1 + (-table.log_odds).exp())
    return table.select(
        "customer_id",
        "scan_day",
        "score",
        no_score_reason=none.ifelse("insufficient_data", ibis.null("string")),
        probability=table.enough.ifelse(probability, ibis.null("float64")),
        band=bands,
        confidence=table.confidence,
        next_action=next_action(table.score, bands, table.confidence, rules),
        factors=_raised(table, rules, model, signals),
        contributions=none.ifelse(ibis.null("map<string, float64>"), contributions),
        weights_version=ibis.literal(model.version),
    )


def _raised(table: ir.Table, rules: ScoringRules, model: Weights | Scorecard, signals: Sequence[str]) -> ir.ArrayValue:
    """Names of what raised the score: families, of a learned score its signals too, exceptions, an override."""
    named: dict[str, ir.BooleanValue]
    if isinstance(model, Weights):
        named = {family: (table[family] >= rules.factor_from) & (model.of(family) > 0) for family in FAMILIES}
    else:
        named = {name: table[f"part_{name}"] >= RAISES for name in FAMILIES}
        named |= {name: table.enough & (table[f"signal_{name}"] >= RAISES) for name in signals}
    named |= {name: table.exception == name for name in EXCEPTIONS}
    named["override"] = table.override_score.notnull()
    flags = [flag.fill_null(False).ifelse(name, ibis.null("string")) for name, flag in named.items()]
    return ibis.array(flags).filter(lambda name: name.notnull())


def next_action(
    score_: ir.NumericValue, bands: ir.StringValue, confidence: ir.NumericValue, rules: ScoringRules
) -> ir.StringValue:
    """What to do: low monitor, medium outreach, high alert; without score or confidence a human looks."""
    return ibis.cases(
        (score_.isnull(), "data_quality_review"),
        (confidence < rules.min_confidence, "human_review"),
        (bands == "high", "alert"),
        (bands == "medium", "outreach"),
        else_="monitor",
    )
