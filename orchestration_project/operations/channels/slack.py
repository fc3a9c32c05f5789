"""Slack: messages to colleagues, by a bot or an incoming webhook, and what each way of failing means."""

import logging
import re
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from socket import gaierror
from typing import Any, NoReturn
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from orchestration_project.operations.channel import (
    Message,
    PermanentFailure,
    Receipt,
    TransientFailure,
    UncertainFailure,
)  # fmt: skip

NOT_TAKEN = frozenset(
    {"ratelimited", "rate_limited", "service_unavailable", "team_added_to_org", "message_limit_exceeded"}
)
"""Errors after which nothing was posted and a later attempt may succeed."""
PERHAPS_TAKEN = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Errors of which Slack says that part of the work may have been done."""
_CODE = re.compile(r"[a-z_]+")
LONGEST = 3000
DEFAULT_WAIT = 30.0
NOBODYS: Mapping[str, str] = {}
# The SDK logs whole requests, webhook addresses included, for whoever turns debugging on.
_SILENT = logging.Logger(__name__, logging.CRITICAL)


class Bot:
    """Posts as a bot, with `chat.postMessage`, to the channel of the recipient, or else to the usual one.

    Slack takes no key that would make a second post of the same message harmless: the key goes along as metadata, by
    which a person finds out what was posted.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        timeout_seconds: int,
        channels: Mapping[str, str] = NOBODYS,
        usual: str | None = None,
    ) -> None:
        self._channels, self._usual = channels, usual
        # Attempts are the outbox's business: the SDK's own would post twice where an answer was lost.
        self._client = WebClient(token, base_url=base_url, timeout=timeout_seconds, retry_handlers=[], logger=_SILENT)

    def send(self, message: Message) -> Receipt:
        """Posts the message; its time stamp, which is Slack's name for it, is the receipt."""
        text = text_of(message)
        channel = self._channels.get(message.recipient) or self._usual or message.recipient
        metadata = {
            "event_type": "customer_health_message", "event_payload": {"idempotency_key": message.idempotency_key},
        }  # fmt: skip
        try:
            answer = self._client.chat_postMessage(
                channel=channel, text=text, metadata=metadata, parse="none", link_names=False, unfurl_links=False,
                unfurl_media=False,
            )  # fmt: skip
        except SlackApiError as error:
            _refused(error.response.status_code, error.response.get("error") or "", error.response.headers)
        except (OSError, HTTPException, ValueError, SlackClientError) as error:
            _unanswered(error)
        if not answer.get("ts"):
            _unanswered(ValueError("it names no message"))
        return Receipt(str(answer["ts"]), {"channel": str(answer.get("channel"))})


class Webhook:
    """Posts by an incoming webhook, which belongs to one channel: the recipient is not looked at."""

    def __init__(self, url: str, timeout_seconds: int) -> None:
        self._client = WebhookClient(url, timeout=timeout_seconds, retry_handlers=[], logger=_SILENT)

    def send(self, message: Message) -> Receipt:
        """Posts the message; webhooks give it no name, so the receipt is the key."""
        text = text_of(message)
        try:
            answer = self._client.send(text=text, unfurl_links=False, unfurl_media=False)
        except (OSError, HTTPException, ValueError, SlackClientError) as error:
            _unanswered(error)
        if answer.status_code != 200:
            _refused(answer.status_code, answer.body, answer.headers)
        return Receipt(message.idempotency_key, {"reply": answer.body[:100]})


def text_of(message: Message) -> str:
    """What is posted: text that mentions nobody and links nowhere, whatever is in it."""
    told = message.payload
    if message.kind not in ("chat", "task"):
        raise PermanentFailure(f"message {message.outbox_id} is of kind {message.kind!r}, which Slack is not for")
    text = "\n".join(str(told[part]).strip() for part in ("subject", "body") if told.get(part))
    if not text:
        raise PermanentFailure(f"message {message.outbox_id} has no body, so there is nothing to post")
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _refused(status: int, error: str, headers: Mapping[str, Any]) -> NoReturn:
    sentence = f"Slack refused the message with status {status}: {error[:200] or 'no reason given'}"
    if status == 429 or error in NOT_TAKEN:
        raise TransientFailure(sentence, _seconds(headers))
    if status >= 500 or error in PERHAPS_TAKEN or (status == 200 and not _CODE.fullmatch(error)):
        raise UncertainFailure(f"{sentence}; look in the channel whether it was posted")
    raise PermanentFailure(sentence)


def _unanswered(error: Exception) -> NoReturn:
    """Whether Slack may have the message: surely not where nobody was reached."""
    cause = error.reason if isinstance(error, URLError) else error
    # What a bare ValueError says may hold the address, and that of a webhook is a secret.
    told = type(cause).__name__ if type(cause) is ValueError else f"{type(cause).__name__}: {cause}"[:200]
    if isinstance(error, URLError) and isinstance(cause, ConnectionRefusedError | ssl.SSLError | gaierror):
        raise TransientFailure(f"Slack can't be reached ({told})") from error
    raise UncertainFailure(f"Slack's answer was lost ({told}); look in the channel whether it was posted") from error


def _seconds(headers: Mapping[str, Any]) -> float:
    told = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    try:
        return max(0.0, float(told))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return DEFAULT_WAIT
