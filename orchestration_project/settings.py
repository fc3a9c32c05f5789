"""Settings: where a home keeps its state, and every choice a user can make about it."""

import os
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestration_project.domain.addresses import address
from orchestration_project.domain.rules import CompletenessRules, ImpactRules, LearningRules, RiskSettings
from orchestration_project.domain.texts import unseen

LOCAL = ("localhost", "127.0.0.1", "[::1]", "::1")
Model = TypeVar("Model", bound=BaseModel)

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PASSWORD = re.compile(r"://[^/@:]*:(?P<user>.+)@|[?&](password|passwd|pwd)=(?P<query>[^&]+)", re.IGNORECASE)


class SettingsError(Exception):
    """A configuration file that can't be used; names file, place and fix."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(_Group):
    """How DuckDB may use this machine."""

    memory_limit: str = Field(
        default="4GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|TB|MiB|GiB|TiB)$", description="Memory it may use."
    )
    threads: int = Field(default=0, ge=0, description="Threads it may use; 0 means one per core.")
    spill_folder: Path | None = Field(
        default=None, description="Where it puts what exceeds memory; default: in the home."
    )
    rows_at_once: int = Field(
        default=4_000_000, ge=1, description="Customer-days computed in one go; a longer range is cut into parts."
    )


class ScheduleSettings(_Group):
    """When the daily scan runs."""

    timezone: str = Field(default="UTC", description="Time zone of `hour`, for example Europe/Berlin.")
    hour: int = Field(default=7, ge=0, le=23, description="Full hour at which yesterday is scanned.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is no time zone; use a name such as UTC or Europe/Berlin")
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)


class LanguageModelSettings(_Group):
    """Who writes texts: the templates that ship with the project, or a model that sees facts about customers."""

    name: str | None = Field(
        default=None,
        description="Model of Anthropic's API, whose key is in ANTHROPIC_API_KEY; default: templates, nothing is sent.",
    )
    base_url: str | None = Field(default=None, description="Another address of the API, such as a gateway of your own.")
    max_tokens: int = Field(default=1024, ge=64, le=64_000, description="Longest answer; doubled where it was cut off.")
    timeout_seconds: float = Field(default=60, gt=0, le=3600, description="For one request.")
    deadline_seconds: float = Field(default=1800, gt=0, le=86_400, description="For all requests of a run.")
    attempts: int = Field(default=3, ge=1, le=10, description="Requests in total, where errors are transient.")
    concurrency: int = Field(default=20, ge=1, le=256, description="Requests under way at once.")
    batch_from: int = Field(default=500, ge=1, description="Number of requests from which they go as a batch.")
    batch_wait_minutes: float = Field(default=60, ge=0, le=1500, description="How long to wait for a batch.")
    tokens_per_run: int = Field(default=4_000_000, ge=0, description="Tokens that a run may use, in and out.")
    usd_per_million_input: float | None = Field(default=None, ge=0, description="Price; default: cost is not known.")
    usd_per_million_output: float | None = Field(default=None, ge=0, description="Price; default: cost is not known.")
    usd_per_run: float | None = Field(default=None, ge=0, description="Cost that a run may have; needs both prices.")

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.usd_per_run is not None and None in (self.usd_per_million_input, self.usd_per_million_output):
            raise ValueError("usd_per_run needs usd_per_million_input and usd_per_million_output")
        return self

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """What tokens cost at most, as if none were read from a cache; None where a price is not known."""
        if self.usd_per_million_input is None or self.usd_per_million_output is None:
            return None
        return (input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output) / 1_000_000


class OperationsSettings(_Group):
    """Where it is kept what people decide and what leaves the system."""

    url: str | None = Field(
        default=None,
        description="Database, for example ${OPERATIONS_URL} with postgresql://user:password@host/name in that "
        "environment variable; default: operations.db in the home.",
    )

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        if url and holds_password(url):
            raise ValueError("it holds a password; put the URL into an environment variable and write ${NAME} here")
        return url


class _Server(_Group):
    """How a mail server is reached; who has no name for it does without."""

    host: str | None = None
    security: Literal["starttls", "tls", "none"]
    username_variable: str | None = Field(default=None, description="Environment variable with the user name.")
    password_variable: str | None = Field(default=None, description="Environment variable with the password.")
    timeout_seconds: float = Field(default=30, gt=0, le=600, description="For one answer of the server.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.security == "none" and self.host not in (None, *LOCAL):
            raise ValueError("security `none` is for a server on this machine only; use starttls or tls")
        if bool(self.username_variable) != bool(self.password_variable):
            raise ValueError("username_variable and password_variable go together")
        return self


class SmtpSettings(_Server):
    """The server that e-mail goes out through."""

    host: str | None = Field(default=None, description="Name of the SMTP server; default: none, so none is sent.")
    port: int = Field(default=587, ge=1, le=65_535, description="587 for starttls, 465 for tls.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="Encryption, certificate checked; `none` only on this machine."
    )
    per_minute: float = Field(default=60, ge=0, description="E-mails a minute at most, per process; 0: no limit.")


class SlackSettings(_Group):
    """The Slack workspace that messages go to: by a bot, or by an incoming webhook."""

    token_variable: str | None = Field(
        default=None, description="Environment variable with the bot's token; default: no bot."
    )
    webhook_variable: str | None = Field(
        default=None, description="Environment variable with an incoming webhook's URL; default: no webhook."
    )
    channel: str | None = Field(
        default=None, min_length=1, description="Channel that a bot posts to, of owners whom `channels` does not name; "
        "default: the owner is taken for a channel."
    )  # fmt: skip
    channels: dict[str, str] = Field(default_factory=dict, description="By owner, the channel that a bot posts to.")
    base_url: str = Field(default="https://slack.com/api/", description="Address of the API.")
    timeout_seconds: int = Field(default=30, ge=1, le=600, description="For one answer.")
    per_minute: float = Field(default=50, ge=0, description="Messages a minute at most, per process; 0: no limit.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.token_variable and self.webhook_variable:
            raise ValueError("use either token_variable or webhook_variable")
        local = self.base_url.startswith(tuple(f"http://{host}:" for host in LOCAL))
        if not (self.base_url.startswith("https://") or local) or not self.base_url.endswith("/"):
            raise ValueError("base_url must begin with https:// and end in /")
        return self


class ToolChannelSettings(_Group):
    """Tools of MCP servers, which sources.yaml names, that messages are given to."""

    timeout_seconds: float = Field(default=30, gt=0, le=600, description="For one call.")
    per_minute: float = Field(default=60, ge=0, description="Calls a minute at most, per process; 0: no limit.")


class InboxSettings(_Server):
    """The mailbox where replies and bounces arrive."""

    host: str | None = Field(default=None, description="Name of the IMAP server; default: none is read.")
    port: int = Field(default=993, ge=1, le=65_535, description="993 for tls, 143 for starttls.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="tls", description="Encryption, certificate checked; `none` only on this machine."
    )
    folder: str = Field(default="INBOX", min_length=1, description="Folder that is read.")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.host and not self.username_variable:
            raise ValueError("a mailbox needs username_variable and password_variable")
        return self


class ChannelSettings(_Group):
    """Where messages go, in whose name, and how their readers can stop them."""

    from_address: str = Field(
        default="customer-success@example.invalid", description="Sender of e-mail; replies and bounces go there."
    )
    from_name: str = Field(default="Customer Success", max_length=120, description="Name of the sender.")
    unsubscribe_url: str | None = Field(
        default=None, pattern=r"^https://[^\s?#<>]+$", max_length=200,
        description="Public address of the page where readers unsubscribe; default: there is none.",
    )  # fmt: skip
    unsubscribe_mailto: str | None = Field(
        default=None, description="Address that takes unsubscribe mails; the inbox must receive them."
    )
    unsubscribe_secret_variable: str = Field(
        default="UNSUBSCRIBE_SECRET", description="Environment variable with the secret that signs the page's links."
    )
    dry_run: bool = Field(default=False, description="Compose all, send nothing: files in the home show what would go.")
    smtp: SmtpSettings = Field(default_factory=SmtpSettings, description="Through which server e-mail goes.")
    slack: SlackSettings = Field(default_factory=SlackSettings, description="Through whom messages go to Slack.")
    mcp: ToolChannelSettings = Field(default_factory=ToolChannelSettings, description="Messages given to tools.")
    inbox: InboxSettings = Field(default_factory=InboxSettings, description="Where replies and bounces are read.")

    @field_validator("from_address", "unsubscribe_mailto")
    @classmethod
    def _one_address(cls, told: str | None) -> str | None:
        if told is not None and address(told) is None:
            raise ValueError(f"{told!r} is not one e-mail address")
        return told

    @field_validator("from_name")
    @classmethod
    def _plain_name(cls, told: str) -> str:
        if unseen(told) or "=?" in told:
            raise ValueError("a name is one line of visible text")
        return told

    @model_validator(mode="after")
    def _lawful(self) -> Self:
        if self.smtp.host and self.from_address.endswith(".invalid"):
            raise ValueError("smtp needs a from_address that can be answered")
        if self.smtp.host and not (self.unsubscribe_url or self.unsubscribe_mailto):
            raise ValueError(
                "smtp needs unsubscribe_url or unsubscribe_mailto: whoever gets mail must be able to stop it"
            )
        return self


class RetentionSettings(_Group):
    """How many days is kept what says something about customers; none means for ever."""

    lake_days: int | None = Field(
        default=None, ge=1, description="Results of scans, from their scan day; refits learn only from what is kept."
    )
    replies_days: int | None = Field(default=90, ge=1, description="Replies of language models and tools.")
    outbox_days: int | None = Field(
        default=365, ge=1, description="Messages that are over: files in the outbox; recipients and texts in the store."
    )
    responses_days: int | None = Field(default=365, ge=1, description="Words of what came back from customers.")
    reviews_days: int | None = Field(default=730, ge=1, description="Texts of decided reviews and of closed tasks.")
    audit_days: int | None = Field(
        default=None, ge=1, description="Reasons and values in the audit trail; who did what when is kept for ever."
    )


class Settings(_Group):
    """Everything in `settings.yaml`; each default is the safe choice."""

    history_start: date = Field(default=date(2024, 1, 1), description="First day that can be scanned or used.")
    history_end: date | None = Field(None, description="Last day of a data set that is finished; default: none.")
    grace_hours: float = Field(
        default=6, ge=0, le=72, description="Hours after a scan day's end in which facts may still be recorded for it."
    )
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings, description="When the daily scan runs.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="How the engine may use this machine.")
    completeness: CompletenessRules = Field(
        default_factory=CompletenessRules, description="Which profile fields count."
    )
    risk: RiskSettings = Field(default_factory=RiskSettings, description="From facts to scores.")
    language_model: LanguageModelSettings = Field(
        default_factory=LanguageModelSettings, description="Who writes texts, and what that may take."
    )
    learning: LearningRules = Field(default_factory=LearningRules, description="From outcomes to weights.")
    impact: ImpactRules = Field(default_factory=ImpactRules, description="Whether what was done helped.")
    operations: OperationsSettings = Field(
        default_factory=OperationsSettings, description="Where decisions and messages are kept."
    )
    channels: ChannelSettings = Field(
        default_factory=ChannelSettings, description="Where messages go, and how their readers can stop them."
    )
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="How long is kept what says something about customers."
    )


@dataclass(frozen=True)
class Home:
    """The folder that holds all state."""

    path: Path

    @classmethod
    def find(cls, path: str | Path | None = None) -> "Home":
        """The home that was named, else `ORCHESTRATE_HOME`, else `.orchestrate` here."""
        return cls(Path(path or os.environ.get("ORCHESTRATE_HOME") or ".orchestrate").expanduser().resolve())

    @property
    def exists(self) -> bool:
        """Whether `orchestrate init` has been here."""
        return self.sources_file.exists()

    @property
    def settings_file(self) -> Path:
        """`settings.yaml`; may be absent, then every default holds."""
        return self.path / "settings.yaml"

    @property
    def sources_file(self) -> Path:
        """`sources.yaml`."""
        return self.path / "sources.yaml"

    @property
    def lake(self) -> Path:
        """Folder of the lake."""
        return self.path / "lake"

    @property
    def dagster(self) -> Path:
        """Folder of the Dagster instance."""
        return self.path / "dagster"

    @property
    def versions(self) -> Path:
        """Folder of all rules and weights that ever decided, by version."""
        return self.path / "versions"

    @property
    def workflows(self) -> Path:
        """Folder of manifests that take the place of those that ship with the project."""
        return self.path / "workflows"

    @property
    def reports(self) -> Path:
        """Folder of the reports for people."""
        return self.path / "reports"

    @property
    def replies(self) -> Path:
        """What language models answered, kept under what was asked."""
        return self.path / "replies.db"

    @property
    def operations(self) -> Path:
        """The operations store, where no other database is named."""
        return self.path / "operations.db"

    @property
    def outbox(self) -> Path:
        """Folder of the messages that go to files."""
        return self.path / "outbox"

    @property
    def acts(self) -> Path:
        """What people decided about weights, one JSON line each."""
        return self.path / "weights.jsonl"

    def require(self) -> None:
        """Raises `SettingsError` where this is no home yet."""
        if not self.exists:
            raise SettingsError(f"{self.path} is no home yet; run `orchestrate init --home {self.path}` first.")

    @property
    def erased(self) -> Path:
        """Who was erased, by keyed hash, one JSON line each."""
        return self.path / "erased.jsonl"

    def settings(self) -> Settings:
        """The settings of this home."""
        if not self.settings_file.exists():
            return Settings()
        return parsed(Settings, read_yaml(self.settings_file), self.settings_file)


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            f"{file} can't be read ({error.strerror}); check that it exists and is readable."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8 text; save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise SettingsError(f"{file}{place}: {problem}; correct the YAML there.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{file} must hold `name: value` lines, not a {type(content).__name__}.")
    return content


def with_variables(value: Any, file: Path) -> Any:
    """What a file holds, with each `${NAME}` replaced from the environment."""
    if isinstance(value, dict):
        return {key: with_variables(item, file) for key, item in value.items()}
    if isinstance(value, list):
        return [with_variables(item, file) for item in value]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise SettingsError(f"{file} uses ${{{name}}}, which is not set; export {name} and try again.")
        return os.environ[name]

    return _VARIABLE.sub(replaced, value)


def holds_password(url: str) -> bool:
    """Whether a URL holds a password that is written out."""
    found = _PASSWORD.search(url)
    return bool(found and _VARIABLE.sub("", found["user"] or found["query"]))


def parsed(model: type[Model], content: dict[str, Any], file: Path) -> Model:
    """The content as a model; `SettingsError` with file, key, cause and fix where it does not fit."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        if first["type"] == "extra_forbidden":
            cause, fix = (
                "is not a setting",
                f"remove it or correct its name (known: {_known(model, first['loc'])})",
            )
        else:
            cause, fix = f"does not fit: {first['msg'].removeprefix('Value error, ')}", "correct it"
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingsError(f"{file}: `{key}` {cause}; {fix}{more}.") from error


def _known(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    for part in place[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return "see docs/settings.md"
        model = field.annotation
    return ", ".join(model.model_fields)


def last_full_day(now: datetime) -> date:
    """The latest day that is over in UTC; `now` is an aware time."""
    return now.astimezone(ZoneInfo("UTC")).date() - timedelta(days=1)


def cutoff(day: date, grace_hours: float) -> datetime:
    """Until when facts may be recorded to count for a scan day: its end plus the grace, in UTC."""
    end = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC")) + timedelta(days=1)
    return end + timedelta(hours=grace_hours)
