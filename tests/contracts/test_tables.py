"""Canonical tables: a public interface, so it is spelt out."""

import pytest

from orchestration_project.contracts.tables import SOURCE_TABLES


def test_the_canonical_tables_are_these():
    written = {
        table.name: [column.name + "*" * column.required for column in table.columns]
        for table in SOURCE_TABLES.values()
    }
    assert written == {
        "customers": [
            "customer_id*",
            "name",
            "segment",
            "industry",
            "employee_count",
            "plan",
            "mrr",
            "signed_up_at*",
            "renews_at",
            "churned_at",
            "owner",
            "contact_name",
            "contact_email",
            "language",
            "timezone",
            "opted_out",
            "valid_from",
        ],
        "usage_events": ["customer_id*", "occurred_at*", "event*", "quantity", "user_id", "recorded_at"],
        "support_tickets": [
            "ticket_id*",
            "customer_id*",
            "opened_at*",
            "resolved_at",
            "priority",
            "category",
            "satisfaction",
            "recorded_at",
        ],
        "invoices": [
            "invoice_id*",
            "customer_id*",
            "due_at*",
            "issued_at",
            "paid_at",
            "amount",
            "status",
            "recorded_at",
        ],
        "engagements": ["customer_id*", "occurred_at*", "kind*", "channel", "value", "recorded_at"],
    }


@pytest.mark.parametrize("table", SOURCE_TABLES.values(), ids=lambda table: table.name)
def test_keys_and_times_of_a_table_are_columns_of_it(table):
    assert {*table.key, table.happened_at} <= set(table.names)
    assert table.column(table.happened_at).type == "timestamp"
    assert len(set(table.names)) == len(table.names)


@pytest.mark.parametrize("table", SOURCE_TABLES.values(), ids=lambda table: table.name)
def test_every_table_and_column_says_what_it_is(table):
    assert table.description
    assert [column.name for column in table.columns if not column.description] == []


@pytest.mark.parametrize("table", SOURCE_TABLES.values(), ids=lambda table: table.name)
def test_limits_are_for_numbers_choices_for_texts_and_the_past_for_times(table):
    for column in table.columns:
        assert column.type in ("float64", "int64") or (column.minimum is None and column.maximum is None)
        assert column.type == "string" or column.choices == ()
        assert column.type == "timestamp" or not column.happened


def test_a_column_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        SOURCE_TABLES["customers"].column("nothing")
