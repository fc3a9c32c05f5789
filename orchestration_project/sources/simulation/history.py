"""History: the versions of every customer's row, from sign-up over renewals and changes to leaving."""

import numpy as np
import pyarrow as pa

from orchestration_project.contracts.tables import CUSTOMERS
from orchestration_project.sources.simulation.chance import Chance, Ints
from orchestration_project.sources.simulation.days import DAY, HOUR, SECOND, coded
from orchestration_project.sources.simulation.lives import NEVER, Lives
from orchestration_project.sources.simulation.profiles import (
    FIELDS,
    INDUSTRIES,
    OWNERS,
    PLANS,
    SEGMENTS,
    Profiles,
    contacts,
)

_UNCHANGED = -1
_ROWS = 500_000


def versions(profiles: Profiles, lives: Lives, chance: Chance, end: int) -> list[pa.Table]:
    """All versions known at a moment, in the order in which they became known, in tables of bounded size."""
    who, valid, churn = _timeline(profiles, lives, chance, end)
    order = np.argsort(valid, kind="stable")
    who, valid, churn = who[order], valid[order], churn[order]
    words = contacts(profiles, chance)
    starts = range(0, max(len(who), 1), _ROWS)
    return [_rows(profiles, chance, words, *(a[s : s + _ROWS] for a in (who, valid, churn))) for s in starts]


def _timeline(profiles: Profiles, lives: Lives, chance: Chance, end: int) -> tuple[Ints, Ints, Ints]:
    """Customer, moment and known leave day of each version; each cause of one has an hour of the day to itself."""
    everyone, until = profiles.everyone, end // DAY - 1
    events = [(everyone, _signed_at(profiles, chance, everyone), np.full(len(everyone), NEVER))]
    years = range(1, int(until - profiles.signed.min()) // 365 + 1)
    events += [_unchanged(everyone, profiles.signed + 365 * year, lives.leaves, hour=0) for year in years]
    events.append(_unchanged(everyone, profiles.change_day, lives.leaves, hour=9))
    events += [(turn.who, turn.day * DAY + turn.hour * HOUR, turn.leaves) for turn in lives.turns]
    who, valid, churn = (np.concatenate(column) for column in zip(*events, strict=True))
    known = valid < end
    who, valid, churn = who[known], valid[known], churn[known]
    order = np.lexsort((valid, who))
    who, valid, churn = who[order], valid[order], churn[order]
    told = np.maximum.accumulate(np.where(churn == _UNCHANGED, 0, np.arange(len(churn))))
    return who, valid, churn[told]


def _signed_at(profiles: Profiles, chance: Chance, who: Ints) -> Ints:
    return (
        profiles.signed[who] * DAY
        + 6 * HOUR
        + (chance.uniform("sign-up time", who) * 14 * 3600).astype(np.int64) * SECOND
    )


def _unchanged(who: Ints, day: Ints, leaves: Ints, hour: int) -> tuple[Ints, Ints, Ints]:
    """Versions that say nothing new about leaving, for those who are still there on the day."""
    there = day < leaves
    return who[there], day[there] * DAY + hour * HOUR, np.full(int(there.sum()), _UNCHANGED)


def _rows(
    profiles: Profiles, chance: Chance, words: dict[str, pa.Array], who: Ints, valid: Ints, churn: Ints
) -> pa.Table:
    day, at = valid // DAY, pa.array(who)
    plan, mrr = profiles.terms(who, day)
    columns = {
        "customer_id": profiles.ids.take(at),
        "segment": coded(profiles.segment[who], SEGMENTS),
        "industry": coded(profiles.industry[who], INDUSTRIES),
        "employee_count": pa.array(profiles.employees[who]),
        "plan": coded(plan, PLANS),
        "mrr": pa.array(mrr),
        "signed_up_at": pa.array(_signed_at(profiles, chance, who).astype("datetime64[us]")),
        "renews_at": pa.array((profiles.renewal(who, day) * DAY).astype("datetime64[us]")),
        "churned_at": pa.array((churn * DAY).astype("datetime64[us]"), mask=churn == NEVER),
        "owner": coded(profiles.owner[who], OWNERS),
        "opted_out": pa.array(profiles.opted_out[who]),
        "valid_from": pa.array(valid.astype("datetime64[us]")),
        **{name: texts.take(at) for name, texts in words.items()},
    }
    for name in FIELDS:
        columns[name] = _blank(columns[name], profiles.missing[name][who])
    return pa.table({name: columns[name] for name in CUSTOMERS.names})


def _blank(column: pa.Array, missing: np.ndarray) -> pa.Array:
    return column.take(pa.array(np.arange(len(missing)), mask=missing))
