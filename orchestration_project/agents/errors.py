"""Errors of agents: four classes, each with a pathway of its own (section `handling` of a manifest)."""

from typing import ClassVar, Literal

ErrorClass = Literal["missing_or_invalid_data", "tool_failure", "unexpected_output", "human_needed"]


class AgentError(Exception):
    """Something an agent could not do."""

    error_class: ClassVar[ErrorClass]
    transient: ClassVar[bool] = False
    """Whether the same call may succeed when it is made again."""


class InvalidData(AgentError):
    """The tool can't serve these data: an unknown customer, a refused argument."""

    error_class = "missing_or_invalid_data"


class ToolFailure(AgentError):
    """A tool that did not answer, in time or at all."""

    error_class = "tool_failure"
    transient = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the tool asked to be left alone for."""


class ServerGone(ToolFailure):
    """A tool server that has not answered anybody for too long; it is not asked any more."""

    transient = False


class DeadlinePassed(ToolFailure):
    """The step's time was over before the call was made or answered."""

    transient = False


class UnexpectedOutput(AgentError):
    """A reply that does not have the shape it must have.

    It counts as transient: who answers right nearly always does so when asked again.
    """

    error_class = "unexpected_output"
    transient = True


class HumanNeeded(AgentError):
    """Nothing that another try could mend: a tool that is not allowed, a key that is refused."""

    error_class = "human_needed"
