"""Records: what the operations store says was done and said before, as tables that a plan is made from."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import sqlalchemy as sa

from orchestration_project.domain.bandit import Variant
from orchestration_project.domain.plan import Records
from orchestration_project.lake import Lake
from orchestration_project.operations import switches
from orchestration_project.operations.models import Action, Episode, OutboxMessage, Response, Suppression
from orchestration_project.operations.store import Store

NOT_REACHING = ("rejected", "expired", "cancelled", "failed", "shadow", "drafted")
"""States of an action that never reached the customer, and won't."""
FOREVER = date(9999, 12, 31)
SUPPRESSIONS = {"customer_id": "string", "address": "string", "from_day": "date", "to_day": "date"}
ACTS = {"customer_id": "string", "action": "string", "play": "string", "cause": "string", "day": "date",
        "reaches": "boolean", "sent_on": "date"}  # fmt: skip
STAYS = {"customer_id": "string", "state": "string", "since": "date", "until": "date"}
Rows = Sequence[dict[str, Any]]


def records(store: Store | None, lake: Lake, profiles: ir.Table) -> Records:
    """What a plan must know; `profiles` tell which customers an address that was suppressed belongs to."""
    held, acts, stays, off = ([], [], [], frozenset()) if store is None else _read(store)
    table = _table(lake, held, SUPPRESSIONS)
    by_customer = table.filter(table.customer_id.notnull())
    suppressed = by_customer.select("customer_id", "from_day", "to_day")
    if any(row["customer_id"] is None for row in held):
        addresses = table.filter(table.customer_id.isnull()).drop("customer_id")
        people = profiles.select("customer_id", address=profiles.contact_email.lower().strip()).distinct()
        found = people.inner_join(addresses, "address").select("customer_id", "from_day", "to_day")
        suppressed = suppressed.union(found)
    return Records(suppressed, _table(lake, acts, ACTS), _table(lake, stays, STAYS), off)


def variants(store: Store | None) -> dict[tuple[str, str], Variant]:
    """How often the variants of plays were answered and not answered so far, by play and variant."""
    if store is None:
        return {}
    answered = sa.select(Response.outbox_id).where(Response.kind == "reply", Response.outbox_id.is_not(None))
    replied = sa.func.sum(sa.case((OutboxMessage.id.in_(answered), 1), else_=0))
    sent = (
        sa.select(Action.play, Action.variant, sa.func.count(), replied)
        .join(OutboxMessage, OutboxMessage.action_id == Action.id)
        .where(OutboxMessage.state == "sent", OutboxMessage.record_of.is_(None), Action.variant.is_not(None))
        .group_by(Action.play, Action.variant)
    )
    with store.reading() as session:
        return {
            (play, variant): Variant(variant, int(good or 0), total - int(good or 0))
            for play, variant, total, good in session.execute(sent)
        }


def _read(store: Store) -> tuple[Rows, Rows, Rows, frozenset[str]]:
    with store.reading() as session:
        held = [
            {"customer_id": row.customer_id, "address": row.address, "from_day": row.starts_at.date(),
             "to_day": row.ends_at.date() if row.ends_at else None}
            for row in session.scalars(sa.select(Suppression))
        ]  # fmt: skip
        acts = [
            {"customer_id": act.customer_id, "action": act.kind, "play": act.play, "cause": act.cause,
             "day": act.scan_day, "reaches": act.state not in NOT_REACHING,
             "sent_on": sent_at.date() if sent_at else None}
            for act, sent_at in session.execute(sa.select(Action, OutboxMessage.sent_at).outerjoin(
                OutboxMessage, (OutboxMessage.action_id == Action.id) & OutboxMessage.record_of.is_(None)
            ))
        ]  # fmt: skip
        stays = [
            {"customer_id": customer, "state": band, "since": begun,
             "until": ended - timedelta(days=1) if ended else FOREVER}
            for customer, band, begun, ended in session.execute(
                sa.select(Episode.customer_id, Episode.band, Episode.started_on, Episode.ended_on)
            )
        ]  # fmt: skip
        off = switches.off(session)
    return held, acts, stays, frozenset(off)


def _table(lake: Lake, rows: Rows, schema: dict[str, str]) -> ir.Table:
    return lake.engine.keep(ibis.memtable([{name: row[name] for name in schema} for row in rows], schema=schema))
