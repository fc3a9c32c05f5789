"""Open: the channels of a home, as its settings say."""

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime

from orchestration_project.agents.servers import ToolServer
from orchestration_project.operations.channel import Channel
from orchestration_project.operations.channels.file import File
from orchestration_project.operations.channels.paced import Paced
from orchestration_project.operations.mail import Letterhead
from orchestration_project.operations.unsubscribe import Tokens, WeakSecret, link
from orchestration_project.resources import utc_now
from orchestration_project.settings import ChannelSettings, Home, SettingsError, SlackSettings

DRY_RUN = "dry-run"
"""Folder in the outbox for what would have gone to another channel."""
NO_SERVERS: Mapping[str, ToolServer] = {}


@contextmanager
def channels(
    settings: ChannelSettings,
    home: Home,
    servers: Mapping[str, ToolServer] = NO_SERVERS,
    tools: frozenset[str] = frozenset(),
    now: Callable[[], datetime] = utc_now,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Mapping[str, Channel]]:
    """The channels by name: `file` always, `smtp`, `slack` and `mcp` where they are configured.

    `tools` are those that the workflow's acting roles may call; no other is called.

    In a dry run each is a folder of files. Raises `SettingsError` where a secret is missing; connects to nobody yet.
    """
    head = letterhead(settings)
    rates = _configured(settings, servers)
    opened: dict[str, Channel] = {"file": File(home.outbox, head, now)}
    with ExitStack() as stack:
        for name, per_minute in rates.items():
            if settings.dry_run:
                opened[name] = File(home.outbox / DRY_RUN / name, head, now)
                continue
            channel = _opened(name, settings, servers, tools, head, now, stack)
            opened[name] = Paced(channel, per_minute, clock, sleep) if per_minute else channel
        yield opened


def names(settings: ChannelSettings, servers: Mapping[str, ToolServer] = NO_SERVERS) -> frozenset[str]:
    """The channels that there are by these settings; no secret is needed to tell."""
    return frozenset({"file", *_configured(settings, servers)})


def letterhead(settings: ChannelSettings) -> Letterhead:
    """In whose name messages go, and how their readers can stop them."""
    made = link(settings.unsubscribe_url, tokens(settings)) if settings.unsubscribe_url else None
    return Letterhead(settings.from_address, settings.from_name, settings.unsubscribe_mailto, made)


def tokens(settings: ChannelSettings) -> Tokens:
    """The maker and reader of unsubscribe links, with the secret from the environment."""
    variable = settings.unsubscribe_secret_variable
    try:
        return Tokens(secret(variable, "channels.unsubscribe_secret_variable"))
    except WeakSecret as error:
        raise SettingsError(f"{variable}: {error}; export a longer one.") from error


def secret(variable: str, setting: str) -> str:
    """A secret from the environment; `SettingsError` where it is not there."""
    found = os.environ.get(variable)
    if not found:
        raise SettingsError(f"`{setting}` names {variable}, which is not set; export {variable} and try again.")
    return found


def _configured(settings: ChannelSettings, servers: Mapping[str, ToolServer]) -> dict[str, float]:
    """The channels beside `file`, each with its messages a minute."""
    found = {
        "smtp": (settings.smtp.host, settings.smtp.per_minute),
        "slack": (settings.slack.token_variable or settings.slack.webhook_variable, settings.slack.per_minute),
        "mcp": (servers, settings.mcp.per_minute),
    }
    return {name: rate for name, (there, rate) in found.items() if there}


def _opened(
    name: str,
    settings: ChannelSettings,
    servers: Mapping[str, ToolServer],
    tools: frozenset[str],
    head: Letterhead,
    now: Callable[[], datetime],
    stack: ExitStack,
) -> Channel:
    if name == "slack":
        return _slack(settings.slack)
    if name == "mcp":
        from orchestration_project.operations.channels.mcp import Mcp

        return stack.enter_context(Mcp(servers, settings.mcp.timeout_seconds, head, now, tools))
    from orchestration_project.operations.channels.smtp import Login, Smtp

    told, login = settings.smtp, None
    if told.username_variable and told.password_variable:
        username = secret(told.username_variable, "channels.smtp.username_variable")
        login = Login(username, secret(told.password_variable, "channels.smtp.password_variable"))
    smtp = Smtp(told, head, now, login, ssl.create_default_context())
    stack.callback(smtp.close)
    return smtp


def _slack(told: SlackSettings) -> Channel:
    from orchestration_project.operations.channels.slack import Bot, Webhook

    if told.token_variable:
        token = secret(told.token_variable, "channels.slack.token_variable")
        return Bot(token, told.base_url, told.timeout_seconds, told.channels, told.channel)
    assert told.webhook_variable is not None
    address = secret(told.webhook_variable, "channels.slack.webhook_variable")
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost:")):
        raise SettingsError(f"{told.webhook_variable} holds no address that begins with https://; copy it from Slack.")
    return Webhook(address, told.timeout_seconds)
