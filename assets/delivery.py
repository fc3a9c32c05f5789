"""Delivery: the job that carries out what people decided and sends what is due. The work is `outgoing`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from orchestration_project.resources import Workspace

if TYPE_CHECKING:
    from orchestration_project.outgoing import Outgoing

DELIVER = "deliver_messages"
SEND = "deliver_outbox"
"""The op that sends; its `limit` says how many messages at most."""
AFTER = {"before": dg.In(dg.Nothing)}
NOTHING = dg.Out(dg.Nothing)


class Limit(dg.Config):
    """How much one run does."""

    limit: int = 500


def delivery_job() -> dg.JobDefinition:
    """Four ops, one after the other. Answers come before messages: who has just asked for no more gets none."""

    @dg.op(out=NOTHING, description="Closes review items that nobody decided in time; nothing is sent for them.")
    def expire_reviews(context: dg.OpExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.Output:
        with outgoing(context, workspace) as work:
            return counted({"expired": work.expire()})

    @dg.op(ins=AFTER, out=NOTHING, description="Puts what people approved into the outbox, each once.")
    def carry_on_decisions(context: dg.OpExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.Output:
        with outgoing(context, workspace) as work:
            return counted(work.carry_on())

    @dg.op(ins=AFTER, out=NOTHING, description="Reads replies, bounces and wishes for no more, where an inbox is set.")
    def read_responses(context: dg.OpExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.Output:
        with outgoing(context, workspace) as work:
            return counted(work.read())

    @dg.op(name=SEND, ins=AFTER, out=NOTHING, description="Hands messages that are due to their channels.")
    def deliver_outbox(
        context: dg.OpExecutionContext, config: Limit, workspace: dg.ResourceParam[Workspace]
    ) -> dg.Output:
        with outgoing(context, workspace) as work:
            return counted(work.deliver(config.limit))

    @dg.job(
        name=DELIVER,
        description="Carries out what people decided, reads what came back, and sends what is due.",
        executor_def=dg.in_process_executor,
    )
    def deliver_messages() -> None:
        deliver_outbox(read_responses(carry_on_decisions(expire_reviews())))

    return deliver_messages


@contextmanager
def outgoing(context: dg.OpExecutionContext, workspace: Workspace) -> "Iterator[Outgoing]":
    """The work of this run, on the home's store."""
    from orchestration_project.operations.store import Store
    from orchestration_project.outgoing import Outgoing

    with Store.open(workspace.home) as store:
        yield Outgoing(workspace, store, f"run {context.run.run_id}")


def counted(counts: Mapping[str, int]) -> dg.Output:
    """What an op did, in the UI."""
    return dg.Output(None, metadata=dict(counts))
