"""Traces: found as whole words in any spelling, masked there, and nowhere else."""

import json

import pytest

from orchestration_project.domain.traces import Traces, shared

ANN = Traces("C000042", frozenset({"Müller & Co", "Ann O'Neil", "Ann.ONeil@example.com"}))


@pytest.mark.parametrize(
    "text",
    [
        "C000042", "about C000042.", "draft:C000042/1", "(Müller & Co)", "M\\u00fcller & Co", "Müller &amp; Co",
        "Ann O&#x27;Neil", "to <ann.oneil@EXAMPLE.com>", json.dumps({"a": "line\nC000042"}), '"customer_id": "C000042"',
    ],
)  # fmt: skip
def test_a_trace_is_found_and_masked(text):
    assert ANN.found(text)
    masked = ANN.masked(text)
    assert "[erased]" in masked
    assert not ANN.found(masked)


@pytest.mark.parametrize(
    "text",
    [
        "C0000421", "XC000042", "c000042", "Ann O'Neill", "joann.oneil@example.com", "ann.oneil@example.com.au",
        "Müller & Company", "", "customer_id=C000043",
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_left_alone(text):
    assert not ANN.found(text)
    assert ANN.masked(text) == text


def test_a_short_number_is_a_trace_only_where_it_is_told_to_be_a_customer():
    one = Traces("42", frozenset({"Al"}))
    assert not one.found("42 rows for Al")
    assert one.masked('{"customer_id": "42", "rows": 42}') == '{"customer_id": "[erased]", "rows": 42}'
    assert one.untold == 2


def test_values_are_masked_however_deep_and_what_a_list_has_about_the_customer_goes():
    value = {"by C000042": [{"customer_id": "C000042", "x": 1}, {"customer_id": "C1", "x": ["Ann O'Neil", 2, None]}]}
    assert ANN.masked_in(value) == {"by [erased]": [{"customer_id": "C1", "x": ["[erased]", 2, None]}]}
    assert ANN.found_in(value)
    assert not ANN.found_in({"customer_id": "C1"})
    assert Traces("42").masked_in({"customer_id": "42"}) == {"customer_id": "[erased]"}


def test_a_name_that_stands_in_what_is_said_of_others_is_no_trace():
    names = {"Acme", "Ann O'Neil"}
    found = shared(names, ["Acme Ltd", "Ann O'Neill"])
    assert found == {"Acme"}
    assert not Traces("C000042", frozenset(names), found).found("Acme")
    assert Traces("C000042", frozenset(names), found).found("Ann O'Neil")
