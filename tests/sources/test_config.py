"""Config: what `sources.yaml` may say, and what is said about what it may not."""

import pytest

from orchestration_project.settings import Home, SettingsError
from orchestration_project.sources.config import FilesSource, SqlSource, load_sources

CUSTOMERS = "tables:\n  customers: {connector: files, path: c.csv}\n"


@pytest.fixture
def load(tmp_path):
    def loaded(text):
        (tmp_path / "sources.yaml").write_text(text, encoding="utf-8")
        return load_sources(Home(tmp_path))

    return loaded


def sql(url):
    return CUSTOMERS + f'  usage_events: {{connector: sql, url: "{url}", table: e}}\n'


def test_tables_are_in_canonical_order_whatever_the_order_in_the_file(load):
    sources = load(
        "tables:\n  invoices: {connector: files, path: i.csv}\n  usage_events: {connector: files, path: u.csv}\n"
        "  customers: {connector: files, path: c.csv}\n"
    )
    assert sources.connected == ["customers", "usage_events", "invoices"]
    assert sources.tables["customers"] == FilesSource(connector="files", path="c.csv")


def test_variables_come_from_the_environment(load, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_HOST", "db.example")
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "p:w@d/$x")
    source = load(sql("postgresql://me:${WAREHOUSE_PASSWORD}@${WAREHOUSE_HOST}/dw")).tables["usage_events"]
    assert isinstance(source, SqlSource)
    assert source.url == "postgresql://me:p:w@d/$x@db.example/dw"


def test_a_variable_that_is_not_set_is_named(load, monkeypatch):
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    with pytest.raises(
        SettingsError, match=r"sources.yaml uses \$\{NO_SUCH_URL\}, which is not set; export NO_SUCH_URL"
    ):
        load(sql("${NO_SUCH_URL}"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@db/dw",
        "postgresql://me:sec$ret@db/dw",
        "postgresql://me:sec/ret@db/dw",
        "postgresql://me:s@ecret@db/dw",
        "postgresql://me:secret${TAIL}@db/dw",
        "postgresql://:secret@db/dw",
        "postgresql://db/dw?user=me&password=secret",
        "snowflake://db/dw?PWD=secret",
    ],
)
def test_a_password_in_a_url_is_refused_without_repeating_it(load, monkeypatch, url):
    monkeypatch.setenv("TAIL", "x")
    with pytest.raises(SettingsError) as raised:
        load(sql(url))
    assert "`tables.usage_events.url` holds a password" in str(raised.value)
    assert "environment variable and write ${NAME}" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://me@db:5432/dw", "duckdb://w.db", "postgresql://db/dw?password=${PW}"])
def test_a_url_without_a_password_is_taken(load, monkeypatch, url):
    monkeypatch.setenv("PW", "x")
    assert load(sql(url)).connected == ["customers", "usage_events"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: {}\n", ["`tables.customers` is missing"]),
        ("tables: [customers]\n", ["`tables`", "valid dictionary"]),
        (
            CUSTOMERS + "  orders: {connector: files, path: o.csv}\n",
            ["'orders' is no canonical table", "use one of customers"],
        ),
        (CUSTOMERS.replace("path", "paht"), ["`tables.customers.files.path`", "Field required"]),
        (CUSTOMERS.replace("files", "ftp"), ["`tables.customers`", "'files', 'sql', 'mcp', 'simulated'"]),
        (
            CUSTOMERS.replace("c.csv", "c.csv, columns: {nmae: n}"),
            ["customers has no column 'nmae'", "it has customer_id"],
        ),
        (CUSTOMERS.replace("c.csv", "c.csv, timezone: CEST+1"), ["'CEST+1' is no time zone", "Europe/Berlin"]),
        (
            CUSTOMERS.replace("c.csv", "c.csv, constants: {mrr: much}"),
            ["customers.constants.mrr is 'much'", "no float64"],
        ),
        (
            CUSTOMERS.replace("c.csv", "c.csv, constants: {signed_up_at: soon}"),
            ["signed_up_at is 'soon'", "no timestamp"],
        ),
        (CUSTOMERS.replace("c.csv", "c.csv, constants: {opted_out: 3}"), ["opted_out is 3", "no boolean"]),
        (CUSTOMERS + "churn: {kind: inactivity}\n", ["churn by inactivity needs `tables.usage_events`"]),
        (
            "tables:\n  customers: {connector: simulated}\n",
            ["needs a `simulation:` section", "add `simulation: {start: DATE}`"],
        ),
        ("tables:\n  customers: {connector: files\n", ["line 3", "correct the YAML there"]),
        ("- customers\n", ["must hold `name: value` lines, not a list"]),
        (CUSTOMERS + "tabels: {}\n", ["`tabels` is not a setting", "churn, simulation, servers, tables)"]),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_the_place_and_the_fix(load, text, words):
    with pytest.raises(SettingsError) as raised:
        load(text)
    message = str(raised.value)
    assert "sources.yaml" in message
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_a_home_that_is_none_says_which_command_makes_one(tmp_path):
    with pytest.raises(SettingsError, match="is no home yet; run `orchestrate init --home"):
        load_sources(Home(tmp_path))


def test_constants_of_every_type_are_taken(load):
    constants = "{name: 5, mrr: 5, employee_count: 3, opted_out: true, signed_up_at: 2025-01-01, plan: null}"
    assert load(CUSTOMERS.replace("c.csv", f"c.csv, constants: {constants}")).connected == ["customers"]
