"""Results: what an asset says in the Dagster UI about what it wrote."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration_project.contracts.lake_tables import LAKE_TABLES

if TYPE_CHECKING:
    import ibis.expr.types as ir

OWNERS = ["team:customer-success"]
DECIMALS = 4
"""Decimals of a figure in the UI; tables in the lake have all."""
ROW_COUNT = "dagster/row_count"
KINDS = {"ibis", "duckdb", "parquet"}


def table_metadata(name: str) -> Mapping[str, Any]:
    """Definition metadata of an asset: the columns of its table, with their meaning."""
    columns = [dg.TableColumn(column.name, column.type, column.description) for column in LAKE_TABLES[name]]
    return {"dagster/column_schema": dg.TableSchema(columns=columns), "dagster/table_name": name}


def written(metadata: Mapping[str, Any], checks: Sequence[dg.AssetCheckResult]) -> dg.MaterializeResult:
    """The result of an asset, the same for all partitions of a run."""
    return dg.MaterializeResult(metadata=dict(metadata), check_results=list(checks))


def tell_rows(context: dg.AssetExecutionContext, rows: Mapping[str, int]) -> None:
    """Says how many rows each partition has: in a run over a range, each has its own number."""
    for key, count in rows.items():
        context.add_asset_metadata({ROW_COUNT: count}, partition_key=key)


def records(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """Rows as a table in the UI; `none` where there are none."""
    if not rows:
        return dg.MetadataValue.text("none")
    plain = [{key: _plain(value) for key, value in row.items()} for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in plain[0]])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in plain], schema=schema)


def unique_key(name: str, table: "ir.Table", key: Sequence[str], rows: Any) -> dg.AssetCheckResult:
    """Check that no two rows of a table have the same key; `rows` computes a small expression."""
    each = table.group_by(list(key)).agg(rows=table.count())
    found = rows(each.agg(rows=each.rows.sum(), keys=each.count()))[0]
    total = found["rows"] or 0
    return dg.AssetCheckResult(
        check_name=name,
        passed=total == found["keys"],
        metadata={"rows": total, "distinct keys": found["keys"], "key": ", ".join(key)},
    )


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, float):
        return round(value, DECIMALS)
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)
