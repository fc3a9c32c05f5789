"""The store: opens anywhere, is brought up to date once, and keeps transactions and their audit trail together."""

import sqlite3
from datetime import datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc

from orchestration_project.operations import audit, ledger
from orchestration_project.operations.models import (
    REVISION,
    Action,
    AuditEntry,
    Base,
    DeliveryAttempt,
    OutboxMessage,
    Task,
)
from orchestration_project.operations.store import MIGRATIONS, Store, StoreError
from orchestration_project.settings import Home, SettingsError

from .conftest import DAY, NOW, PERMIT, acted, action, later, message, queued


def test_the_migrations_make_what_the_models_say(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_models_name_the_latest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_a_store_of_an_earlier_version_is_brought_up_to_date_with_all_that_is_in_it(url):
    """Rows that others refer to, as they are in every store in use."""
    new = {"id": "1", "created_at": NOW.replace(tzinfo=None)}
    act = {"key": "k", "workflow": "w", "customer_id": "C1", "kind": "outreach", "play": "p", "cause": "c",
           "scan_day": DAY, "autonomy": "auto", "state": "queued"}  # fmt: skip
    mail = {"idempotency_key": "k", "action_id": "1", "channel": "file", "kind": "email", "recipient": "r",
            "payload": {}, "not_before": new["created_at"], "state": "claimed", "attempts": 1}  # fmt: skip
    attempt = {"outbox_id": "1", "number": 1, "worker": "w1", "started_at": new["created_at"], "result": "sending"}
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg" if "postgres" in url else "sqlite"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for name, row in (("actions", act), ("outbox", mail), ("delivery_attempts", attempt)):
            connection.execute(sa.insert(sa.Table(name, sa.MetaData(), autoload_with=connection)).values(new | row))
    engine.dispose()
    with Store.open(url) as store:
        with store.reading() as session:
            assert session.get_one(OutboxMessage, "1").record_of is None
            assert session.scalars(sa.select(DeliveryAttempt)).one().outbox_id == "1"
        with store.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_two_processes_that_open_an_empty_database_at_once_both_can(url, together):
    together(*[("migrate", url)] * 4)
    with Store.open(url) as store:
        acted(store)


def test_a_database_of_a_newer_version_is_refused_in_one_sentence(url):
    with Store.open(url) as store, store.engine.begin() as connection:
        version = sa.table("alembic_version", sa.column("version_num"))
        connection.execute(sa.update(version).values(version_num="9999"))
    with pytest.raises(StoreError, match=f"newer version of this project .*9999.* up to {REVISION}.*install"):
        Store.open(url)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:1/none", "127.0.0.1:1/none can't be used .*check that it is running"),
        ("mysql://me@host/db", "names mysql; use postgresql or sqlite"),
        ("nonsense", "is no database URL; write it as postgresql://"),
        ("sqlite:////proc/nothing/here.db", "can't be used .*unable to open database file"),
    ],
)
def test_a_database_that_cant_be_used_is_one_sentence_without_the_password(where, words):
    with pytest.raises(StoreError, match=words) as raised:
        Store.open(where)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    (tmp_path / "operations.db").write_text("this is not a database, it is a text of some length" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(Home(tmp_path))


def test_a_home_has_its_store_in_operations_db_in_wal_mode(tmp_path):
    home = Home(tmp_path / "new")
    with Store.open(home) as store:
        acted(store)
    connection = sqlite3.connect(home.operations)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("SELECT customer_id FROM actions").fetchall() == [("C1",)]
    connection.close()


def test_a_url_in_the_settings_is_taken_from_the_environment(tmp_path, monkeypatch):
    (tmp_path / "settings.yaml").write_text("operations: {url: '${WHERE}'}\n")
    with pytest.raises(SettingsError, match="WHERE"):
        Store.open(Home(tmp_path))
    monkeypatch.setenv("WHERE", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    Store.open(Home(tmp_path)).close()
    assert (tmp_path / "elsewhere.db").exists()


def test_a_password_in_the_settings_is_refused(tmp_path):
    (tmp_path / "settings.yaml").write_text("operations: {url: 'postgresql://me:secret@host/db'}\n")
    with pytest.raises(SettingsError, match=r"operations\.url.*holds a password") as raised:
        Home(tmp_path).settings()
    assert "secret" not in str(raised.value)


def test_a_transaction_that_fails_leaves_nothing_not_even_an_audit_entry(store):
    with pytest.raises(ZeroDivisionError), store.transaction("scan", NOW) as tx:
        ledger.record(tx, PERMIT, [action()])
        raise ZeroDivisionError
    with store.reading() as session:
        assert session.scalars(sa.select(Action)).all() == []
        assert session.scalars(sa.select(AuditEntry)).all() == []


def test_times_come_back_aware_in_utc_and_naive_ones_are_refused(store):
    offset = datetime.fromisoformat("2026-11-23T09:30:00+01:00")
    row = queued(store, message(not_before=offset))[0]
    with store.reading() as session:
        found = session.get_one(OutboxMessage, row.id)
        assert found.not_before == offset
        assert found.not_before.isoformat() == "2026-11-23T08:30:00+00:00"
    with pytest.raises(exc.StatementError, match="no time zone"):
        queued(store, message("M2", not_before=NOW.replace(tzinfo=None)))


def test_hostile_text_is_stored_without_what_databases_cant_hold(store):
    row = queued(store, message(recipient="a\x00b\ud800'; DROP TABLE outbox; --", payload={"body": "\x00\ud800 ü"}))[0]
    with store.reading() as session:
        found = session.get_one(OutboxMessage, row.id)
        assert found.recipient == "ab?'; DROP TABLE outbox; --"
        assert found.payload == {"body": "\x00\ud800 ü"}


def test_every_change_is_audited_with_before_and_after(store):
    row = acted(store)
    with store.transaction("ann", later(hours=1)) as tx:
        ledger.set_state(tx, row.id, "cancelled", "the customer asked")
    with store.reading() as session:
        first, second = audit.trail(session, "actions", row.id)
    assert (first.who, first.what, first.before) == ("scan", "action recorded", None)
    assert first.after["customer_id"] == "C1"
    assert (second.who, second.at, second.what, second.why) == (
        "ann", later(hours=1), "action cancelled", "the customer asked",
    )  # fmt: skip
    assert second.before == {"state": "in_review", "state_reason": None}
    assert second.after == {"state": "cancelled", "state_reason": "the customer asked"}


@pytest.mark.parametrize(
    "change",
    [
        sa.update(AuditEntry).values(who="nobody"),
        sa.update(AuditEntry).values(before=None, after=None),
        sa.update(AuditEntry).values(after={"state": "sent"}),
        sa.update(AuditEntry).values(why="another reason"),
        sa.update(AuditEntry).values(customer_id="C2"),
        sa.update(AuditEntry).values(customer_id=None),
        sa.update(AuditEntry).values(entity_id="erased-1"),
        sa.delete(AuditEntry),
    ],
)
def test_the_database_refuses_to_change_or_remove_what_was_audited(store, change):
    acted(store)
    with pytest.raises(exc.DBAPIError, match="append-only"), store.engine.begin() as connection:
        connection.execute(change)


def test_the_audit_trail_lets_a_customer_become_a_pseudonym(store):
    acted(store)
    with store.engine.begin() as connection:
        connection.execute(sa.update(AuditEntry).values(customer_id="erased-1"))
    with store.reading() as session:
        assert session.scalars(sa.select(AuditEntry.customer_id)).all() == ["erased-1"]


def test_the_foreign_keys_hold(store):
    with pytest.raises(exc.IntegrityError):
        queued(store, message(action_id="there is none"))


def test_what_is_not_one_of_the_choices_is_refused(store):
    with pytest.raises(exc.IntegrityError):
        acted(store, state="perhaps")


def test_only_one_task_is_open_per_customer_and_cause(store):
    values = {"customer_id": "C1", "cause": "x", "title": "t", "details": {}, "state": "open", "deadline": NOW,
              "opened_at": NOW, "updated_at": NOW, "created_at": NOW}  # fmt: skip
    with pytest.raises(exc.IntegrityError), store.transaction("scan", NOW) as tx:
        tx.session.add_all([Task(id="1", **values), Task(id="2", **values)])


def test_the_scan_day_of_an_action_is_that_of_its_permit(store):
    assert acted(store).scan_day == DAY
