"""Erasure: a customer is forgotten everywhere in a home, for good, and everything is searched for them afterwards.

The order makes a killed erasure one that the next run finishes: first it is noted that the customer stays out, then by
what they were known, then all places are cleared, and the note of their names goes when nothing is found any more.
"""

import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis

from orchestration_project import masking, remains
from orchestration_project.domain.tombstones import Tombstones
from orchestration_project.domain.traces import Traces, shared
from orchestration_project.lake import Lake
from orchestration_project.operations import erased
from orchestration_project.operations.channels.file import file_name
from orchestration_project.operations.store import Store
from orchestration_project.resources import Tombstone, Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import FilesSource, Sources, load_sources
from orchestration_project.sources.open import KEPT
from orchestration_project.sources.simulated import FOLDER

NAMES = ("name", "contact_name", "contact_email")
KEPT_BY_LAW = (
    "audit trail: who did what and when, to rows that are told by their own identifiers; the customer by a pseudonym",
    "ledger: that there were actions, messages and decisions, with times and states, without texts and addresses",
    "suppressions: that this customer and these addresses are not written to, as keyed hashes",
)
Opener = Callable[[], AbstractContextManager[Lake]]


class ErasureError(Exception):
    """A customer who can't be erased; names culprit, cause and fix."""


@dataclass(frozen=True)
class Erased:
    """What an erasure did, and what its search found; it says nothing about who it was."""

    customer: str
    """The pseudonym."""
    partitions: int
    replies: int
    messages: int
    logs: int
    store: int
    sources: tuple[str, ...]
    """Tables of the company's own that are not touched."""
    searched: int
    """Files that were searched."""
    unsought: int
    """Texts that others have too, or that are too short, and so were not looked for within texts."""
    left: tuple[str, ...]
    """Where something is left."""


def erase(workspace: Workspace, customer_id: str, reason: str, who: str) -> Erased:
    """Forgets a customer, with the home to itself.

    Raises `ErasureError` where nobody here is called so or a database is in use, `HomeBusy` where a scan is running.
    """
    sources = load_sources(workspace.home)
    with workspace.alone() as opened, Store.existing(workspace.home) or nullcontext() as store:
        tombstones = workspace.erased()
        traces = _traces(workspace.home, customer_id, tombstones, opened, store)
        tombstones = _remembered(workspace, traces, tombstones)
        done = _cleared(workspace, traces, tombstones, opened, store, traces.masked(reason), who)
        note = _note(workspace.home, tombstones.names(customer_id))
        searched, left = search(workspace.home, traces, store, [*_not_ours(workspace.home, sources), note])
        if not left:
            note.unlink(missing_ok=True)
    return Erased(tombstones.names(customer_id), **done, sources=tuple(sources.connected), searched=searched,
                  unsought=traces.untold, left=left)  # fmt: skip


def _is_here(customer_id: str, lake: Lake, store: Store | None) -> bool:
    traces = Traces(customer_id)
    if any(remains.in_parquet(file, traces) for _, _, _, file in lake.everything()):
        return True
    if store is None:
        return False
    with store.reading() as session:
        return erased.knows(session, customer_id)


def _traces(
    home: Home, customer_id: str, tombstones: Tombstones, opened: Opener, store: Store | None
) -> Traces:  # fmt: skip
    """What the customer is known by: now, and before an erasure that was not finished."""
    with opened() as lake:
        if customer_id not in tombstones and not _is_here(customer_id, lake, store):
            raise ErasureError(
                f"Customer {customer_id!r} is not known in {home.path}, so there is nothing to erase; check how the "
                "identifier is written."
            )
        names = _names(customer_id, lake) | _addresses(customer_id, store)
        noted = _read_note(_note(home, tombstones.names(customer_id)))
        names |= set(noted.get("names", ()))
        others = shared({customer_id, *names}, _texts_of_others(customer_id, names, lake))
        return Traces(customer_id, frozenset(names), others | set(noted.get("shared", ())))


def _names(customer_id: str, lake: Lake) -> set[str]:
    found: set[str] = set()
    for table in ("customers", "customer_profiles"):
        if not lake.has(table):
            continue
        rows = lake.read(table)
        own = rows.filter(rows.customer_id == customer_id).select(*(name for name in NAMES if name in rows.columns))
        found |= {value for row in lake.engine.rows(own.distinct()) for value in row.values() if value}
    return found


def _addresses(customer_id: str, store: Store | None) -> set[str]:
    if store is None:
        return set()
    with store.reading() as session:
        return erased.addresses(session, customer_id)


def _texts_of_others(customer_id: str, names: set[str], lake: Lake) -> Iterator[str]:
    """What the sources say of other customers in letters that are also this customer's."""
    if not lake.has("customers"):
        return
    rows = lake.read("customers")
    others = rows.filter(rows.customer_id != customer_id)
    columns = [name for name, kind in rows.schema().items() if kind.is_string()]
    holds = [others[name].lower().contains(text.lower()) for name in columns for text in (customer_id, *sorted(names))]
    for row in lake.engine.rows(others.filter(ibis.or_(*holds)).select(*columns).distinct()):
        yield from (value for value in row.values() if value)


def _remembered(workspace: Workspace, traces: Traces, tombstones: Tombstones) -> Tombstones:
    """Has the customer stay out from now on, and notes what to look for until all is done."""
    if traces.customer_id not in tombstones:
        salt = tombstones.salt or secrets.token_hex(16)
        alias = Tombstones(salt).names(traces.customer_id)
        workspace.record_erased(Tombstone(salt=salt, pseudonym=alias, at=workspace.now()))
        tombstones = workspace.erased()
    note = _note(workspace.home, tombstones.names(traces.customer_id))
    content = {"names": sorted(traces.names), "shared": sorted(traces.shared)}
    masking.replace(note, json.dumps(content).encode())
    return tombstones


def _note(home: Home, alias: str) -> Path:
    """What an erasure that is under way looks for."""
    return home.path / f"erasing-{alias}.json"


def _read_note(note: Path) -> dict[str, Any]:
    return json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}


def _cleared(
    workspace: Workspace, traces: Traces, tombstones: Tombstones, opened: Opener, store: Store | None,
    reason: str, who: str,
) -> dict[str, int]:  # fmt: skip
    """Clears all places, and returns how much was changed in each. The store comes last: it knows the messages."""
    home = workspace.home
    with opened() as lake:
        partitions = masking.in_lake(lake, traces)
    shutil.rmtree(home.path / "spill", ignore_errors=True)
    try:
        databases = [home.replies, *sorted((home.path / KEPT).glob("*.db"))]
        replies = sum(masking.in_database(file, traces) for file in databases if file.exists())
        messages = masking.in_outbox(home.outbox, traces, _files_of(traces.customer_id, store))
        logs = masking.in_folder(home.dagster, traces) + masking.in_folder(home.reports, traces)
        logs += masking.in_text(home.acts, traces) if home.acts.exists() else 0
        rows = _clear_store(store, traces, tombstones, reason, who, workspace) if store else 0
    except sqlite3.OperationalError as error:
        raise ErasureError(
            f"A database in {home.path} is in use ({error}), so the erasure is not finished; stop what uses it, such "
            "as `dg dev`, and run the same command again."
        ) from error
    return {"partitions": partitions, "replies": replies, "messages": messages, "logs": logs, "store": rows}


def _files_of(customer_id: str, store: Store | None) -> set[str]:
    """Keys of the customer's messages, and the names of their files."""
    if store is None:
        return set()
    with store.reading() as session:
        keys = erased.messages(session, customer_id)
    return keys | {file_name(key) for key in keys}


def _clear_store(
    store: Store, traces: Traces, tombstones: Tombstones, reason: str, who: str, workspace: Workspace
) -> int:  # fmt: skip
    with store.transaction(who, workspace.now()) as tx:
        changed = erased.erase(tx, traces, tombstones, reason)
    store.compact()
    return changed


def _not_ours(home: Home, sources: Sources) -> list[Path]:
    """Files below the home that are the company's own tables."""
    found = [home.path / FOLDER]
    for source in sources.tables.values():
        if isinstance(source, FilesSource) and "://" not in source.path:
            # An absolute path stays what it is.
            pattern = home.path / source.path
            found += Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return found


def search(home: Home, traces: Traces, store: Store | None, but: list[Path]) -> tuple[int, tuple[str, ...]]:
    """Searches a home but for some files: their number, and where something is left, in words that name nobody."""
    left: list[str] = []
    number = 0
    for file in remains.files(home.path, but):
        number += 1
        how = remains.in_file(file, traces)
        if how is not None:
            left.append(f"{traces.masked(str(file.relative_to(home.path)))}{how and f' ({how})'}")
    if store:
        left += [f"operations store: {place}" for place in sorted(set(erased.remainders(store, traces)))]
    return number, tuple(left)
