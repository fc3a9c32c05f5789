"""Errors: which failures are told in one sentence, however deep Dagster wrapped them."""

from collections.abc import Iterator


class CommandError(Exception):
    """A command that can't do what was asked; names culprit, cause and fix."""


def known_error(error: BaseException) -> str | None:
    """The sentence of an error that is meant for users, or None for a bug."""
    from sqlalchemy.exc import SQLAlchemyError

    from orchestration_project.contracts.handoff import HandoffError
    from orchestration_project.contracts.lake_tables import ContractError
    from orchestration_project.engine import EngineError
    from orchestration_project.erasure import ErasureError
    from orchestration_project.lake import LakeError
    from orchestration_project.locks import HomeBusy
    from orchestration_project.manifests import ManifestError
    from orchestration_project.operations.inbound import InboxError
    from orchestration_project.operations.reviews import Refused
    from orchestration_project.operations.store import StoreError
    from orchestration_project.resources import VersionError
    from orchestration_project.settings import SettingsError
    from orchestration_project.sources.errors import SourceError
    from orchestration_project.sources.examples import ExampleError

    meant = (
        CommandError,
        SettingsError,
        SourceError,
        ExampleError,
        EngineError,
        LakeError,
        VersionError,
        ManifestError,
        ContractError,
        HandoffError,
        ErasureError,
        HomeBusy,
        StoreError,
    )
    for each in _chain(error):
        if isinstance(each, meant):
            return str(each)
        if isinstance(each, (Refused, StoreError, InboxError)):
            told = str(each).rstrip(".")
            return f"{told[:1].upper()}{told[1:]}."
        if isinstance(each, SQLAlchemyError):
            told = " ".join(str(getattr(each, "orig", each)).split())
            return f"The operations database can't be used ({told}); check that it is there, whole and writable."
        if isinstance(each, OSError) and each.filename and each.strerror:
            return f"{each.filename}: {each.strerror}; check the path, its permissions and the free space there."
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "user_exception", None) or error.__cause__ or error.__context__
