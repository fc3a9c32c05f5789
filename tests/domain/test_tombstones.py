"""Tombstones: who was erased is known again, by anybody who asks with the identifier, on any engine."""

import ibis
import pytest

from orchestration_project.domain.tombstones import NOBODY, Tombstones, pseudonym

ERASED = Tombstones("salt", frozenset({pseudonym("salt", "C1"), pseudonym("salt", "Zoë/1")}))


@pytest.mark.parametrize(
    ("customer", "known"), [("C1", True), ("Zoë/1", True), ("C2", False), ("c1", False), (None, False)]
)
def test_who_was_erased_is_known_alike_in_python_and_on_the_engine(engine, customer, known):
    assert (customer in ERASED) is known
    rows = ibis.memtable([{"customer_id": customer}], schema={"customer_id": "string"})
    assert engine.rows(rows.select(it=ERASED.flag(rows.customer_id)))[0]["it"] in ({known} if customer else {None})


def test_another_salt_gives_another_pseudonym_which_says_nothing_of_the_customer():
    assert pseudonym("salt", "C1") != pseudonym("other", "C1")
    assert pseudonym("salt", "C1").startswith("erased-")
    assert "C1" not in pseudonym("salt", "C1")


def test_nobody_is_nobody():
    assert not NOBODY
    assert "C1" not in NOBODY
    assert not NOBODY.among(["C1"])
    assert ERASED.among(["x", "C1"])
