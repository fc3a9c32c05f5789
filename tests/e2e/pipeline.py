"""The steps from a scan to what has left, as tests of kills start them: each in a process of its own, often twice."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from multiprocessing.connection import Connection

import dagster as dg
import sqlalchemy as sa
from sqlalchemy import exc

from assets.delivery import DELIVER
from orchestration_project.acting import Acting
from orchestration_project.definitions import build
from orchestration_project.domain.days import DayRange
from orchestration_project.drafting import ALERTS, DRAFTS
from orchestration_project.freshness import fresh_sources
from orchestration_project.jobs import SCAN
from orchestration_project.operations import reviews
from orchestration_project.operations.models import ReviewItem
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store, StoreError
from orchestration_project.outgoing import Outgoing
from orchestration_project.planning import PLAN
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from sensors.triggers import RANGE_END, RANGE_START

DAY = date(2025, 6, 30)
TOKEN_VARIABLE = "SLACK_TOKEN"
LOST = 75
"""With what a step exits that has lost its database."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def start(begun: Connection, what: str, home: Home, at: datetime, who: str) -> None:
    """Does a step by a clock that begins at `at`, and tells when it is about to."""
    os.environ[TOKEN_VARIABLE] = "xoxb-of-a-test"
    started = time.monotonic()
    workspace = Workspace(home, lambda: at + timedelta(seconds=time.monotonic() - started))
    begun.send_bytes(b"begun")
    try:
        STEPS[what](workspace, who)
    except Exception as error:
        if _lost(error):
            sys.exit(LOST)
        raise


def scan(workspace: Workspace, _who: str) -> None:
    """The Dagster run that plans, writes the texts and hands them over."""
    with dg.DagsterInstance.ephemeral() as instance:
        build(workspace).resolve_job_def(SCAN).execute_in_process(
            instance=instance, run_config=QUIET, asset_selection=[dg.AssetKey(name) for name in (PLAN, DRAFTS, ALERTS)],
            tags={RANGE_START: DAY.isoformat(), RANGE_END: DAY.isoformat()},
        )  # fmt: skip


def hand_over(workspace: Workspace, who: str) -> None:
    """What that run does at its end, which is the part that must happen once."""
    with workspace.lake() as lake, Store.open(workspace.home) as store:
        fresh = fresh_sources(lake, workspace, DAY)
        permit = Permit.for_run(who, {}, DayRange(DAY, DAY), DAY, fresh, workspace.now())
        acting = Acting(store, lake, workspace, permit)
        acting.queue_drafts()
        acting.raise_alerts()
        acting.ask_people()


def decide(workspace: Workspace, who: str) -> None:
    """A person who decides whatever nobody else does: most is approved, some edited, some rejected."""
    with Store.open(workspace.home) as store:
        with store.reading() as session:
            items = session.scalars(asked()).all()
        for item in items:
            try:
                with store.transaction(who, workspace.now()) as tx:
                    reviews.claim(tx, item.id)
                with store.transaction(who, workspace.now()) as tx:
                    if item.id[0] == "0":
                        reviews.reject(tx, item.id, "not now")
                    elif item.id[0] == "1":
                        reviews.edit(tx, item.id, None, f"{item.body}\n\nCall me.")
                    else:
                        reviews.approve(tx, item.id)
            except reviews.Refused:
                pass


def asked() -> sa.Select[tuple[ReviewItem]]:
    """Open questions about actions."""
    about = ReviewItem.action_id.is_not(None), ReviewItem.reason_code != reviews.UNCERTAIN
    return sa.select(ReviewItem).where(ReviewItem.state == "open", *about).order_by(ReviewItem.key)


def deliver(workspace: Workspace, who: str) -> None:
    """A worker's round, by the functions that the job calls."""
    with Store.open(workspace.home) as store:
        work = Outgoing(workspace, store, who)
        work.expire()
        work.carry_on()
        work.deliver(500)


def delivery_run(workspace: Workspace, _who: str) -> None:
    """The Dagster run of a worker's round."""
    with dg.DagsterInstance.ephemeral() as instance:
        build(workspace).resolve_job_def(DELIVER).execute_in_process(instance=instance, run_config=QUIET)


STEPS: Mapping[str, Callable[[Workspace, str], None]] = {
    each.__name__: each for each in (scan, hand_over, decide, deliver, delivery_run)
}


def _lost(error: BaseException | None) -> bool:
    """Whether the database went away under it."""
    while error is not None:
        if isinstance(error, exc.DBAPIError | StoreError):
            return True
        error = error.__cause__
    return False
