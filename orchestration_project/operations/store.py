"""Store: opens the operations database, brings its tables up to date, and gives transactions that are audited."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.dialects import postgresql, sqlite

from orchestration_project.operations.models import REVISION, AuditEntry, Row
from orchestration_project.settings import Home, with_variables

Model = TypeVar("Model", bound=Row)
Value = TypeVar("Value")

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x0DE5
"""Number of the advisory lock under which PostgreSQL is migrated."""
BUSY_SECONDS = 60
"""How long a SQLite writer waits for another."""
CONNECT_SECONDS = 10
IMMEDIATE = "immediate"


class StoreError(Exception):
    """An operations database that can't be used; names database, cause and fix."""


def in_parts(values: Iterable[Value], size: int = 5000) -> Iterator[list[Value]]:
    """Values in lists of at most `size`: databases limit how many may be in one statement."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def new_id() -> str:
    """An identifier that nobody has yet."""
    return uuid4().hex


@dataclass(frozen=True)
class Transaction:
    """What happens together, by whom and when; every change leaves an entry in the audit trail."""

    session: orm.Session
    who: str
    now: datetime
    new_id: Callable[[], str]
    entries: list[dict[str, Any]] = field(default_factory=list)
    """The audit trail of this transaction, which is written at its end."""

    def insert_new(
        self, model: type[Model], rows: Sequence[Mapping[str, Any]], what: str, why: str | None
    ) -> list[Model]:
        """Inserts the rows that no unique key forbids, and returns those; all rows have the same columns."""
        if not rows:
            return []
        make = postgresql.insert if self.session.get_bind().dialect.name == "postgresql" else sqlite.insert
        values = [{"id": self.new_id(), "created_at": self.now} | dict(row) for row in rows]
        statement = make(model).on_conflict_do_nothing().returning(model)
        inserted = list(self.session.scalars(statement, values))
        self.entries.extend(self._entry(row, what, why, None, row.values()) for row in inserted)
        return inserted

    def change(self, row: Row, what: str, why: str | None = None, **values: Any) -> None:
        """Changes a row that this transaction has locked."""
        before = {name: getattr(row, name) for name in values}
        for name, value in values.items():
            setattr(row, name, value)
        self.entries.append(self._entry(row, what, why, before, values))

    def note(self, what: str, entity: str, entity_id: str, why: str | None, after: Mapping[str, Any]) -> None:
        """Audits what was done to many rows at once, or to none that has an entry of its own."""
        about = {"entity": entity, "entity_id": entity_id, "customer_id": None}
        self.entries.append(about | self._signed(what, why) | {"before": None, "after": dict(after)})

    def locked(self, model: type[Model], row_id: str) -> Model | None:
        """A row as it is now, which nobody else changes until this transaction ends."""
        return self.session.get(model, row_id, with_for_update=True, populate_existing=True)

    def _entry(
        self, row: Row, what: str, why: str | None, before: Mapping[str, Any] | None, after: Mapping[str, Any]
    ) -> dict[str, Any]:
        about = {"entity": row.__tablename__, "entity_id": row.id, "customer_id": getattr(row, "customer_id", None)}
        return about | self._signed(what, why) | {"before": before, "after": after}

    def _signed(self, what: str, why: str | None) -> dict[str, Any]:
        return {"at": self.now, "who": self.who, "what": what, "why": why}


def is_there(home: Home) -> bool:
    """Whether a home has a store, so that who only reads need not make one; a database by URL counts as there."""
    return home.settings().operations.url is not None or home.operations.exists()


class Store:
    """An operations database that is open; any number of processes may have it open."""

    def __init__(self, engine: sa.Engine, ids: Callable[[], str] = new_id) -> None:
        self.engine = engine
        self._ids = ids
        self._writer = engine.execution_options(**{IMMEDIATE: True})

    @classmethod
    def open(cls, where: Home | str, ids: Callable[[], str] = new_id) -> "Store":
        """Opens the store of a home, or at a URL, and brings its tables up to date.

        Raises `StoreError` where it can't be reached or is of a newer version.
        """
        url = _url(where)
        engine = _engine(url)
        try:
            _migrated(engine, url)
        except exc.DBAPIError as error:
            engine.dispose()
            raise StoreError(
                f"The operations database {url.render_as_string()} can't be used ({_first_line(error)}); check that it "
                "is running and what `operations.url` in settings.yaml says."
            ) from error
        return cls(engine, ids)

    @classmethod
    def existing(cls, home: Home) -> "Store | None":
        """The store of a home, opened; None where nothing was ever kept in it, which then is not made either."""
        if home.settings().operations.url is None and not home.operations.exists():
            return None
        return cls.open(home)

    @contextmanager
    def transaction(self, who: str, now: datetime) -> Iterator[Transaction]:
        """A transaction that writes; kept as a whole when the block ends well, and not at all otherwise."""
        with orm.Session(self._writer, expire_on_commit=False) as session, session.begin():
            tx = Transaction(session, who, now, self._ids)
            yield tx
            session.flush()
            if tx.entries:
                session.execute(sa.insert(AuditEntry), tx.entries)

    @contextmanager
    def rehearsal(self, who: str, now: datetime) -> Iterator[Transaction]:
        """A transaction of which nothing is kept, to see what would happen."""
        with orm.Session(self._writer, expire_on_commit=False) as session:
            yield Transaction(session, who, now, self._ids)

    @contextmanager
    def reading(self) -> Iterator[orm.Session]:
        """A session that only reads."""
        with orm.Session(self.engine, expire_on_commit=False) as session:
            yield session

    def compact(self) -> None:
        """Rewrites an SQLite file, so that what was deleted is gone from the disk too; PostgreSQL does so by itself."""
        if self.engine.dialect.name != "sqlite":
            return
        raw = self.engine.raw_connection()
        try:
            # SQLAlchemy would begin a transaction, in which this can't be done.
            raw.driver_connection.execute("VACUUM")  # type: ignore[union-attr]
            raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        finally:
            raw.close()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _url(where: Home | str) -> sa.URL:
    if isinstance(where, Home):
        text = where.settings().operations.url
        where.path.mkdir(parents=True, exist_ok=True)
        where = f"sqlite:///{where.operations}" if text is None else with_variables(text, where.settings_file)
    try:
        url = sa.make_url(where)
    except exc.ArgumentError as error:
        raise StoreError("`operations.url` is no database URL; write it as postgresql://user@host/name.") from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"`operations.url` names {url.get_backend_name()}; use postgresql or sqlite.")
    return url.set(drivername={"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[url.get_backend_name()])


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        options = {"connect_timeout": CONNECT_SECONDS} if "connect_timeout" not in url.query else {}
        return sa.create_engine(url, json_serializer=_json, connect_args=options, pool_pre_ping=True)
    engine = sa.create_engine(url, json_serializer=_json, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver would begin transactions by itself, and late; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # An attempt must be on disk before its message is sent, whatever happens to the machine.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turns writer fails at once when another has written; one that says so at its beginning waits.
    writes = connection.get_execution_options().get(IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _json(value: Any) -> str:
    return json.dumps(value, default=str, allow_nan=False, ensure_ascii=True)


def _migrated(engine: sa.Engine, url: sa.URL) -> None:
    with engine.connect() as connection:
        if _revision(connection) == REVISION:
            return
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with engine.connect().execution_options(**{IMMEDIATE: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        _upgrade(connection, url)


def _use_wal(engine: sa.Engine, patience: float = BUSY_SECONDS) -> None:
    """Has the file written to by one and read by many at once; SQLite does not wait for this by itself."""
    until = time.monotonic() + patience
    raw = engine.raw_connection()
    try:
        while True:
            try:
                raw.driver_connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[union-attr]
                return
            except engine.dialect.dbapi.OperationalError:  # type: ignore[union-attr]
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)
    finally:
        raw.close()


def _upgrade(connection: sa.Connection, url: sa.URL) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    found = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The operations database {url.render_as_string()} was made by a newer version of this project (its "
            f"tables are at {found}, this version knows them up to {REVISION}); install that version."
        )
    command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table("alembic_version")))


def _first_line(error: exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
