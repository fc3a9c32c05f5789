"""Scoring: from severities to a score of 1-10 with exact contributions, band, confidence and next action."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.rules import FAMILIES, ScoringRules

FULL_HISTORY_DAYS = 90
MARGIN = 0.5
"""Distance from a band edge, in points, at which the band is beyond doubt."""

EXCEPTIONS = ("cancellation_notice", "usage_stopped")


def score(
    factors: ir.Table,
    rules: ScoringRules,
    connected: Sequence[str],
    overrides: ir.Table | None = None,
    strict: bool = True,
) -> ir.Table:
    """One row per customer and scan day: score, band, contributions, confidence, factors and next action.

    `score = 1 + 9 * sum(w s) / sum(w present)` over the families that are present, where these carry at least
    `min_present_weight` of the weight of the `connected` families; else null with a reason. The contributions sum to
    `score - 1`. `overrides` (customer_id, scan_day, override_score, override_reason) replace the score of a customer
    whose override is in force that day. Where not `strict`, a score that only lacks weight is told too.
    """
    table = _overridden(factors, overrides)
    present = sum(_weight(table, family, rules) for family in FAMILIES)
    wanted = sum(rules.weights.of(family) for family in connected)
    enough = present >= rules.min_present_weight * wanted - 1e-9
    enough = (enough if strict else enough | table.exception.isnull()) & (present > 0)
    parts = {
        family: (9 * _weight(table, family, rules) * table[family].fill_null(0) / present.nullif(0)).fill_null(0.0)
        for family in FAMILIES
    }
    table = table.mutate(**{f"part_{family}": part for family, part in parts.items()}, present=present)
    subtotal = 1 + sum(table[f"part_{family}"] for family in FAMILIES)
    told = enough | table.exception.notnull() | table.override_score.notnull()
    table = table.mutate(enough=enough, told=told, subtotal=enough.ifelse(subtotal, 1.0))
    table = _with_limits(table, rules)
    # Rounded, so that a floor of 8 is 8 and not the float before it.
    exact = (1 + sum(table[name] for name in _part_names())).round(12)
    table = table.mutate(score=table.told.ifelse(exact, ibis.null("float64")))
    return _answers(_with_confidence(table, rules, wanted), rules)


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


def _weight(table: ir.Table, family: str, rules: ScoringRules) -> ir.NumericValue:
    return table[family].notnull().ifelse(rules.weights.of(family), 0.0)


def _with_limits(table: ir.Table, rules: ScoringRules) -> ir.Table:
    """What an exception's floor and an override add to the families' contributions."""
    parts = {f"part_{family}": table.enough.ifelse(table[f"part_{family}"], 0.0) for family in FAMILIES}
    floor = ibis.greatest(rules.exception_floor - table.subtotal, 0.0)
    floored = {f"part_{name}": (table.exception == name).fill_null(False).ifelse(floor, 0.0) for name in EXCEPTIONS}
    table = table.mutate(**parts, **floored)
    before = table.subtotal + sum(table[f"part_{name}"] for name in EXCEPTIONS)
    return table.mutate(part_override=(table.override_score - before).fill_null(0.0))


def _part_names() -> list[str]:
    return [f"part_{name}" for name in (*FAMILIES, *EXCEPTIONS, "override")]


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


def _answers(table: ir.Table, rules: ScoringRules) -> ir.Table:
    names = (*FAMILIES, *EXCEPTIONS, "override")
    named = [
        ((table[family] >= rules.factor_from) & (rules.weights.of(family) > 0)).fill_null(False) for family in FAMILIES
    ]
    named += [(table.exception == name).fill_null(False) for name in EXCEPTIONS]
    factors = ibis.array(
        [flag.ifelse(name, ibis.null("string")) for name, flag in zip(names, named, strict=False)]
    ).filter(lambda name: name.notnull())
    entries = {"base": ibis.literal(0.0)} | {name: table[f"part_{name}"] for name in names}
    contributions = ibis.struct(entries).cast("map<string, float64>")
    bands = band(table.score, rules)
    return table.select(
        "customer_id",
        "scan_day",
        "score",
        no_score_reason=table.score.isnull().ifelse("insufficient_data", ibis.null("string")),
        probability=ibis.null("float64"),
        band=bands,
        confidence=table.confidence,
        next_action=next_action(table.score, bands, table.confidence, rules),
        factors=factors,
        contributions=table.score.isnull().ifelse(ibis.null("map<string, float64>"), contributions),
        weights_version=ibis.literal(rules.weights.version),
    )


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
