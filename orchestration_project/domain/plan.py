"""Plan: what is to be done for each customer after a scan, and, where nothing is, the one reason why.

Every customer goes through the same stages in the same order, and stops at the first that does not let it pass. Unknown
consent does not stop a message, but keeps it from being sent before a person has agreed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.bandit import chosen
from orchestration_project.domain.control import control_flag
from orchestration_project.domain.days import number
from orchestration_project.domain.rules import AUTONOMY, FAMILIES, Autonomy
from orchestration_project.domain.scoring import EXCEPTIONS

Action = Literal["outreach", "alert"]
STAGES = (
    "low_risk", "no_score", "low_confidence", "no_play", "switched_off", "control_group", "leaving_announced",
    "no_address", "opted_out", "suppressed", "over_cap", "already_acted", "over_capacity",
)  # fmt: skip
"""Where a customer's way can end before anything is done, in the order in which it is looked at."""
CONTROL = "control_group"
ALERT_PLAY = "account_alert"
"""The one play of alerts: its causes are what tells them apart."""


@dataclass(frozen=True)
class PlayRule:
    """What is written to customers whose score one factor raised most."""

    name: str
    factor: str
    variants: Mapping[str, float]
    """Probability of each of its templates; they sum to 1."""
    segments: tuple[str, ...] = ()
    """Segments that it is for; all where empty."""


@dataclass(frozen=True)
class Bounds:
    """How far one kind of action may go."""

    autonomy: Autonomy
    cap_actions: int | None = None
    """Actions of the kind that a customer gets at most within `cap_days`; None for no cap."""
    cap_days: int = 14
    capacity: int | None = None
    """Actions that an owner gets at most per scan; None for no limit."""


@dataclass(frozen=True)
class PlanRules:
    """Everything that decides a plan, beside the facts."""

    plays: Sequence[PlayRule]
    outreach: Bounds
    alert: Bounds
    control_share: float
    control_salt: str


@dataclass(frozen=True)
class Records:
    """What was done and said before, as far as it was known on a scan day."""

    suppressions: ir.Table
    """`customer_id`, `from_day` and `to_day` (null for no end): whom nothing is sent to."""
    acts: ir.Table
    """`customer_id`, `action`, `play`, `cause`, `day`, `reaches`, `sent_on`: what was begun for whom on a scan day;
    whether it may reach the customer, and so counts for the cap: not what was rejected or has failed; and the day on
    which it was sent, null while it still may be."""
    stays: ir.Table
    """`customer_id`, `state`, `since`, `until`: stays in a band, those included that began before the lookback."""
    switched_off: frozenset[str] = frozenset()
    """Plays that were switched off; `*` stands for all."""


def action_plan(
    scores: ir.Table, profiles: ir.Table, episodes: ir.Table, records: Records, rules: PlanRules
) -> ir.Table:
    """One row per customer and scan day: the action, play, cause and variant, or the stage at which it stopped.

    Who has a score and no row in `episodes` is in the low band, of whose stays nothing depends on their first day.

    `scores` are rows of `risk_scores`, `profiles` of `customer_profiles` and `episodes` those of `domain.episodes`, of
    the same days. Of the actions of one owner and day those with the highest expected loss come first.
    """
    table = _joined(scores, profiles, episodes, records.stays)
    table = table.mutate(wanted=_wanted(table), expected_loss=_expected_loss(table))
    table = _with_play(table, rules.plays, records.switched_off)
    table = table.mutate(control=control_flag(table.customer_id, rules.control_salt, rules.control_share))
    table = _with_history(table, records, rules)
    stages = _stages(table, rules)
    table = table.mutate(
        before_capacity=_first(stages),
        eligible=_first({name: stages[name] for name in stages if name != CONTROL}).isnull(),
    )
    table = _with_rank(table)
    over = _by_action(table, rules, lambda bounds: _above(table.rank, bounds.capacity))
    stopped = ibis.coalesce(table.before_capacity, over.ifelse("over_capacity", ibis.null("string")))
    share = ibis.literal(1.0 - rules.control_share)
    acted = table.wanted.isin(["outreach", "alert"]) & table.play.notnull()
    return table.mutate(stopped_at=stopped).select(
        "customer_id", "scan_day", action=table.wanted, state=table.state, since=table.since, play=table.play,
        cause=table.cause, variant=_variant(table, rules), variant_propensity=_variant_propensity(table, rules),
        propensity=acted.ifelse(share, ibis.null("float64")), control=table.control, assigned=table.eligible & ~over,
        expected_loss=table.expected_loss, owner=table.owner, rank=table.rank, stopped_at=stopped,
        autonomy=stopped.isnull().ifelse(_autonomy(table, rules), ibis.null("string")),
    )  # fmt: skip


def funnel(plan: ir.Table) -> ir.Table:
    """`action`, `stopped_at` (null for what is planned) and `customers`: they add up to all customers of the plan."""
    return plan.group_by("action", "stopped_at").agg(customers=_.count())


def _joined(scores: ir.Table, profiles: ir.Table, episodes: ir.Table, stays: ir.Table) -> ir.Table:
    keys = ["customer_id", "scan_day"]
    attributes = ("segment", "mrr", "owner", "contact_email", "opted_out", "leaves_on")
    table = scores.inner_join(profiles.select(*keys, *attributes), keys)
    table = table.left_join(episodes, keys).drop("customer_id_right", "scan_day_right")
    table = table.mutate(state=ibis.coalesce(table.state, table.score.notnull().ifelse("low", ibis.null("string"))))
    longer = table.select(*keys, "state", "since").inner_join(stays.rename(begun="since"), ["customer_id", "state"])
    longer = longer.filter(longer.begun < longer.since, longer.scan_day <= longer.until)
    longer = longer.group_by(keys).agg(begun=longer.begun.min())
    table = table.left_join(longer, keys).drop("customer_id_right", "scan_day_right")
    return table.mutate(since=(table.state != "low").ifelse(ibis.coalesce(table.begun, table.since), ibis.null("date")))


def _wanted(table: ir.Table) -> ir.StringValue:
    """The action that the customer's band asks for: that of its stay, not that of a day on the edge."""
    return ibis.cases(
        (table.score.isnull() | table.state.isnull(), "data_quality_review"),
        (table.next_action == "human_review", "human_review"),
        (table.state == "high", "alert"),
        (table.state == "medium", "outreach"),
        else_="monitor",
    )


def _expected_loss(table: ir.Table) -> ir.FloatingValue:
    """Monthly revenue times the risk of losing it; null where the revenue is not known.

    Scores of the prior are no probabilities: there the score's place between 1 and 10 stands in for it.
    """
    return table.mrr * ibis.coalesce(table.probability, (table.score - 1) / 9)


def _points(table: ir.Table, name: str) -> ir.FloatingValue:
    return ibis.coalesce(table.contributions.get(name, 0.0), 0.0)


def _with_play(table: ir.Table, plays: Sequence[PlayRule], off: frozenset[str]) -> ir.Table:
    """`cause` and `play`: the factor with the most points that has a play for the segment, or causes an alert.

    `play_off` says that there is a play, but it is switched off: nothing else is written in its place.
    """
    causes = (*EXCEPTIONS, *FAMILIES)
    alert_cause = _largest([(ibis.literal(True), _points(table, name), name) for name in causes])
    fitting = [
        (table.segment.isin(play.segments).fill_null(False) if play.segments else ibis.literal(True),
         _points(table, play.factor), play.name)
        for play in plays
    ]  # fmt: skip
    name = _largest(fitting) if fitting else ibis.null("string")
    alert = table.wanted == "alert"
    table = table.mutate(
        play=ibis.cases((alert, ALERT_PLAY), (table.wanted == "outreach", name), else_=ibis.null("string")),
    )
    factor = ibis.cases(*((table.play == play.name, play.factor) for play in plays), else_=ibis.null("string"))
    cause = ibis.cases((alert, alert_cause), else_=factor) if plays else alert.ifelse(alert_cause, ibis.null("string"))
    is_off = ibis.literal("*" in off) | table.play.isin([*sorted(off), "*"])
    return table.mutate(cause=cause, play_off=is_off)


def _largest(options: Sequence[tuple[ir.BooleanValue, ir.FloatingValue, str]]) -> ir.StringValue:
    """The name of the option that is open and has the most points; of equals the first."""
    points = [open_.ifelse(value, ibis.literal(float("-inf"))) for open_, value, _name in options]
    most = ibis.greatest(*points)
    cases = [(open_ & (value >= most), name) for (open_, _value, name), value in zip(options, points, strict=True)]
    return ibis.cases(*cases, else_=ibis.null("string"))


def _with_history(table: ir.Table, records: Records, rules: PlanRules) -> ir.Table:
    """`suppressed`, `recent` (actions of the kind within its cap's days) and `acted` (in this stay, for this cause)."""
    keys = table.select("customer_id", "scan_day", "wanted", "play", "cause", "since")
    held = keys.inner_join(records.suppressions, "customer_id")
    held = held.filter(held.from_day <= held.scan_day, held.to_day.isnull() | (held.scan_day < held.to_day))
    held = held.distinct(on=["customer_id", "scan_day"])
    held = held.select("customer_id", "scan_day", suppressed=ibis.literal(True))
    past = keys.inner_join(records.acts.rename(act_play="play", act_cause="cause"), "customer_id")
    # What the scan of this very day began is none of its reasons: it may run again, and then says the same.
    past = past.filter(past.day < past.scan_day, past.action == past.wanted)
    # What is planned goes out on the day after its scan day at the earliest; what still waits may go out on the same.
    apart = (number(past.scan_day) + 1 - number(past.sent_on)).fill_null(0)
    window = past.reaches & _by_action(past, rules, lambda bounds: apart < bounds.cap_days)
    same = (past.act_play == past.play) & (past.act_cause == past.cause) & (past.day >= past.since)
    past = past.group_by("customer_id", "scan_day").agg(recent=window.sum(), acted=same.fill_null(False).any())
    on = ["customer_id", "scan_day"]
    table = table.left_join(held, on).drop("customer_id_right", "scan_day_right")
    table = table.left_join(past, on).drop("customer_id_right", "scan_day_right")
    return table.mutate(
        suppressed=table.suppressed.fill_null(False), recent=table.recent.fill_null(0),
        acted=table.acted.fill_null(False),
    )  # fmt: skip


def _stages(table: ir.Table, rules: PlanRules) -> dict[str, ir.BooleanValue]:
    """Whom each stage stops, but for the capacity."""
    written = table.wanted == "outreach"
    capped = _by_action(table, rules, lambda bounds: _at_least(table.recent, bounds.cap_actions))
    return {
        "low_risk": table.wanted == "monitor",
        "no_score": table.wanted == "data_quality_review",
        "low_confidence": table.wanted == "human_review",
        "no_play": table.play.isnull(),
        "switched_off": table.play_off,
        CONTROL: table.control,
        "leaving_announced": written & table.leaves_on.notnull(),
        "no_address": written & (table.contact_email.fill_null("").strip() == ""),
        "opted_out": written & table.opted_out.fill_null(False),
        "suppressed": written & table.suppressed,
        "over_cap": capped,
        "already_acted": table.acted,
    }


def _first(stages: Mapping[str, ir.BooleanValue]) -> ir.StringValue:
    """The first stage that stops a customer; null where none does."""
    cases = [(stages[stage].fill_null(True), stage) for stage in STAGES if stage in stages]
    return ibis.cases(*cases, else_=ibis.null("string"))


def _with_rank(table: ir.Table) -> ir.Table:
    """`rank` among the actions of the same kind, owner and day that nothing else stops, the most valuable first.

    Who is in the control group holds a place too: it stands for those who are acted on in the others' places.
    """
    order = ibis.window(
        group_by=["scan_day", "wanted", "owner", "eligible"],
        order_by=[table.expected_loss.desc(nulls_first=False), table.score.desc(), table.customer_id],
    )
    rank = (ibis.row_number().over(order) + 1).cast("int64")
    return table.mutate(rank=table.eligible.ifelse(rank, ibis.null("int64")))


def _variant(table: ir.Table, rules: PlanRules) -> ir.StringValue:
    episode = ibis.coalesce(table.since, table.scan_day).cast("string")
    address = table.customer_id + "/" + table.play + "/" + episode
    cases = [(table.play == play.name, chosen(address, rules.control_salt, play.variants)) for play in rules.plays]
    return ibis.cases(*cases, else_=ibis.null("string")) if cases else ibis.null("string")


def _variant_propensity(table: ir.Table, rules: PlanRules) -> ir.FloatingValue:
    variant = _variant(table, rules)
    cases = [
        ((table.play == play.name) & (variant == name), share)
        for play in rules.plays
        for name, share in play.variants.items()
    ]
    return ibis.cases(*cases, else_=ibis.null("float64")) if cases else ibis.null("float64")


def _autonomy(table: ir.Table, rules: PlanRules) -> ir.StringValue:
    """How far the action may go by itself; where consent is not known, no further than to a person."""
    most = AUTONOMY.index("approve")
    allowed = AUTONOMY[min(most, AUTONOMY.index(rules.outreach.autonomy))]
    unknown = table.opted_out.isnull()
    return ibis.cases(
        (table.wanted == "alert", rules.alert.autonomy), (unknown, allowed), else_=rules.outreach.autonomy
    )


def _by_action(table: ir.Table, rules: PlanRules, told: Callable[[Bounds], ir.BooleanValue]) -> ir.BooleanValue:
    """What is told of the bounds of the action that each customer's band asks for; false where it asks for none."""
    return ibis.cases(
        (table.wanted == "outreach", told(rules.outreach)), (table.wanted == "alert", told(rules.alert)), else_=False
    )


def _above(value: ir.IntegerValue, most: int | None) -> ir.BooleanValue:
    return ibis.literal(False) if most is None else (value > most).fill_null(False)


def _at_least(value: ir.IntegerValue, least: int | None) -> ir.BooleanValue:
    return ibis.literal(False) if least is None else value >= least
