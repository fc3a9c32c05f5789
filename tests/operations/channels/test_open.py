"""Open: which channels a home has, what each needs, and that a dry run reaches nobody."""

import json
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration_project.agents.servers import ToolServer
from orchestration_project.operations.channels.open import channels, tokens
from orchestration_project.operations.unsubscribe import Reader
from orchestration_project.settings import ChannelSettings, Home, SettingsError

NOBODY = {"tasks": ToolServer(url="http://127.0.0.1:1/mcp"), "chat": ToolServer(url="http://127.0.0.1:1/mcp")}
SENDER = {"from_address": "ana@health.example", "unsubscribe_mailto": "stop@health.example"}
ALL = SENDER | {
    "smtp": {"host": "mail.health.example"}, "slack": {"token_variable": "SLACK_TOKEN"},
    "unsubscribe_url": "https://health.example/unsubscribe",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_home_without_settings_has_files_and_nothing_else(home: Home, now: Any, message: Any) -> None:
    with channels(ChannelSettings(), home, now=now) as opened:
        assert list(opened) == ["file"]
        opened["file"].send(message())
    mail = message_from_bytes((home.outbox / "k1.eml").read_bytes(), policy=policy.default)
    assert mail["From"] == "Customer Success <customer-success@example.invalid>"


def test_what_is_configured_is_there_and_nobody_is_connected_to_yet(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-secret")
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", "a secret for tests")
    with channels(ChannelSettings.model_validate(ALL), home, NOBODY) as opened:
        assert list(opened) == ["file", "smtp", "slack", "mcp"]
    assert not home.outbox.exists()


def test_a_dry_run_composes_and_records_for_each_channel_and_needs_no_key_for_them(
    home: Home, monkeypatch: pytest.MonkeyPatch, now: Any, message: Any
) -> None:
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", "a secret for tests")
    with channels(ChannelSettings.model_validate(ALL | {"dry_run": True}), home, NOBODY, now=now) as opened:
        opened["smtp"].send(message())
        opened["slack"].send(message("chat"))
        opened["mcp"].send(message("task"))
    folder = home.outbox / "dry-run"
    found = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*"))
    assert found == ["mcp/tasks.jsonl", "slack/chats.jsonl", "smtp/k1.eml"]
    mail = message_from_bytes((folder / "smtp" / "k1.eml").read_bytes(), policy=policy.default)
    assert mail["List-Unsubscribe"].startswith("<https://health.example/unsubscribe/")
    assert json.loads((folder / "slack" / "chats.jsonl").read_text())["payload"] == {"body": "C1 is at risk"}


@pytest.mark.parametrize(
    ("told", "variable"),
    [
        (SENDER | {"unsubscribe_url": "https://health.example/u"}, "UNSUBSCRIBE_SECRET"),
        (SENDER | {"slack": {"token_variable": "SLACK_TOKEN"}}, "SLACK_TOKEN"),
        (SENDER | {"slack": {"webhook_variable": "SLACK_URL"}}, "SLACK_URL"),
        (SENDER | {"smtp": {"host": "h.example", "username_variable": "U", "password_variable": "P"}}, "U"),
    ],
)
def test_a_secret_that_is_not_there_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch, told: Any, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with (
        pytest.raises(SettingsError, match=f"names {variable}, which is not set; export {variable}"),
        channels(ChannelSettings.model_validate(told), home),
    ):
        pass


def test_a_webhook_that_is_no_address_is_named_by_its_variable_and_never_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_URL", "hooks.slack.example/services/SECRETKEY")
    told = ChannelSettings.model_validate(SENDER | {"slack": {"webhook_variable": "SLACK_URL"}})
    with pytest.raises(SettingsError, match="SLACK_URL holds no address") as error, channels(told, home):
        pass
    assert "SECRETKEY" not in str(error.value)


def test_a_secret_that_could_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", "short")
    with pytest.raises(SettingsError, match="UNSUBSCRIBE_SECRET: the secret for unsubscribe links needs at least 16"):
        tokens(ChannelSettings())
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", "long enough to be one")
    reader = Reader("C1", "bo@customer.example")
    assert tokens(ChannelSettings()).reader(tokens(ChannelSettings()).token(reader)) == reader


def test_a_configured_server_is_reached_with_what_the_environment_holds(
    home: Home, monkeypatch: pytest.MonkeyPatch, mail_server: Any, message: Any, authority: Any, tmp_path: Path
) -> None:
    server = mail_server(tls="starttls", login=["ana", "s3cret"])
    monkeypatch.setenv("SMTP_USER", "ana")
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[2]))
    smtp = {
        "host": "localhost", "port": server.port, "per_minute": 600, "username_variable": "SMTP_USER",
        "password_variable": "SMTP_PASSWORD",
    }  # fmt: skip
    waits: list[float] = []
    with channels(ChannelSettings.model_validate(SENDER | {"smtp": smtp}), home, sleep=waits.append) as opened:
        opened["smtp"].send(message(key="k1"))
        opened["smtp"].send(message(key="k2"))
    assert [each["login"] for each in server.taken()] == [True, True]
    assert len(waits) == 1 and 0 < waits[0] <= 0.1


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"smtp": {"host": "h.example"}}, "from_address"),
        ({"smtp": {"host": "h.example"}, "from_address": "a@b.example"}, "unsubscribe_url or unsubscribe_mailto"),
        ({"smtp": {"host": "h.example", "security": "none"}}, "on this machine only"),
        ({"smtp": {"username_variable": "U"}}, "go together"),
        ({"slack": {"base_url": "http://slack.example/api/"}}, "https://"),
        ({"slack": {"base_url": "http://localhost.evil.example/api/"}}, "https://"),
        ({"slack": {"token_variable": "A", "webhook_variable": "B"}}, "either"),
        ({"unsubscribe_url": "http://health.example/u"}, "unsubscribe_url"),
        ({"unsubscribe_url": "https://health.example/u>,<https://evil.example"}, "unsubscribe_url"),
        ({"unsubscribe_mailto": "a@b.example, c@d.example"}, "not one e-mail address"),
        ({"from_address": "Ana <a@b.example>"}, "not one e-mail address"),
        ({"from_name": "Ana\r\nBcc: eve@evil.example"}, "one line"),
        ({"from_name": "=?utf-8?q?Ana=0D=0ABcc=3A_e?="}, "one line"),
        ({"inbox": {"host": "h.example"}}, "needs username_variable"),
        ({"smtp": {"password": "abc"}}, "password"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(wrong: Any, cause: str) -> None:
    with pytest.raises(ValidationError, match=cause):
        ChannelSettings.model_validate(wrong)
