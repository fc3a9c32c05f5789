"""Errors of sources: each names the table, what is wrong with it, and how to mend it."""

from collections.abc import Iterable


class SourceError(Exception):
    """A source that can't be used."""


class MissingColumn(SourceError):
    """A required column that the source does not have."""

    def __init__(self, table: str, column: str, wanted: str, found: Iterable[str]) -> None:
        names = sorted(found)
        listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        super().__init__(
            f"{table} has no column {wanted!r} (it has {listed or 'none'}); "
            f"name it in sources.yaml under `tables.{table}.columns.{column}`."
        )


class UnusableColumn(SourceError):
    """A column whose type can't become what is needed."""

    def __init__(self, table: str, column: str, found: str, wanted: str) -> None:
        super().__init__(
            f"{table}.{column} is of type {found}, which is no {wanted}; expose it as {wanted} in a view, "
            f"or map another column under `tables.{table}.columns.{column}`."
        )


class NoFile(SourceError):
    """A path that matches nothing."""

    def __init__(self, table: str, path: str) -> None:
        super().__init__(f"{table}: no file matches {path}; correct `tables.{table}.path` in sources.yaml.")


class EmptyFile(SourceError):
    """A file of no bytes, which can't say whether there is nothing or something went wrong."""

    def __init__(self, table: str, path: str) -> None:
        super().__init__(f"{table}: {path} is empty, without even a header line; export it again, or remove it.")


class Unreachable(SourceError):
    """A database that does not answer."""

    def __init__(self, table: str, where: str, cause: str) -> None:
        super().__init__(
            f"{table}: the database at {where} does not answer ({cause}); check that it runs, the URL and the network."
        )


class TooSlow(SourceError):
    """A query that took longer than it may."""

    def __init__(self, table: str, where: str, seconds: int) -> None:
        super().__init__(
            f"{table}: a query at {where} took longer than {seconds} s and was cancelled; add an index on the time "
            f"column, or raise `tables.{table}.timeout_seconds` in sources.yaml."
        )
