"""Days: the rows that one simulated day adds to each table. Why customers fare as they do belongs to `lives`.

Rows tell how tickets and invoices will end; `known` cuts off what has not happened yet.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.sources.simulation.chance import Chance, Floats, Ints, Mask
from orchestration_project.sources.simulation.lives import ANGER, FADE, PAYMENT, STOP, Lives
from orchestration_project.sources.simulation.profiles import Profiles, day_number

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LATEST_RECORDING = 5
"""Days after which every row has been recorded."""

_PRIORITIES = ("low", "normal", "high", "urgent")
_CATEGORIES = ("how_to", "bug", "performance", "integration", "billing")
_STATUSES = ("open", "paid", "failed", "void")
_CONTACTS = ("email_open", "reply", "meeting", "nps")
_CHANNELS = ("email", "call", "survey")
_WEEKDAYS = np.array([1.05, 1.1, 1.1, 1.0, 0.85, 0.0, 0.0])
_WEEKENDS = np.array([0.5, 0.22, 0.12])
_USERS = tuple(f"-u{number:02d}" for number in range(1, 41))


@dataclass(frozen=True)
class Kind:
    """One kind of usage: how often and in what amounts, and how it follows health, working days and leaving."""

    event: str
    rate: float
    burst: float
    health: float
    rhythm: float
    leaving: float
    setup: float = 0.0


KINDS = (
    Kind("login", rate=1.0, burst=1, health=0.45, rhythm=1, leaving=1),
    Kind("report_run", rate=0.6, burst=2, health=0.7, rhythm=1, leaving=1.2),
    Kind("export", rate=0.15, burst=1, health=0.2, rhythm=1, leaving=0.5),
    Kind("api_call", rate=0.3, burst=20, health=0.15, rhythm=0.2, leaving=0.8),
    Kind("admin_setting", rate=0.05, burst=1, health=0.3, rhythm=1, leaving=1, setup=5),
)


@dataclass(frozen=True)
class Today:
    """What one day's rows are drawn from."""

    date: dt.date
    profiles: Profiles
    chance: Chance
    lives: Lives

    @property
    def day(self) -> int:
        """The day, counted from 1970."""
        return day_number(self.date)

    def present(self, table: str) -> Ints:
        """Active customers who are not missing in a table."""
        active = self.lives.active(self.day)
        return active[~self.profiles.missing[table][active]]

    def working(self, who: Ints) -> Floats:
        """The weekly rhythm: the larger the customer, the quieter the weekend."""
        weekday = self.date.weekday()
        return np.where(weekday >= 5, _WEEKENDS[self.profiles.segment[who]], _WEEKDAYS[weekday])

    def moments(self, purpose: str, who: Ints) -> tuple[Ints, Ints, Floats]:
        """When something happened and was recorded (1 % half a day to 5 days later), and a number left over."""
        morning, evening, late, spare = self.chance.lanes(f"{purpose} time", who, self.day)
        seconds = 6 * 3600 + (7 * 3600 * (morning + evening)).astype(np.int64)
        lag = np.interp(late, [0, 0.01, 0.1, 1], [LATEST_RECORDING * 86400, 12 * 3600, 60, 0]).astype(np.int64)
        happened = self.day * DAY + seconds * SECOND
        return happened, happened + lag * SECOND, spare


def usage_events(today: Today) -> pa.Table:
    """One row per active customer and kind of usage that occurred, with how often."""
    who = today.present("usage_events")
    age = today.day - today.profiles.signed[who]
    pace = today.profiles.intensity[who] * season(today.date) * (1 - 0.85 * np.exp(-age / 14))
    drives = np.log([pace, today.working(who), today.lives.usage_left(who, today.day)])
    return pa.concat_tables(_usage_of(today, kind, who, np.exp(-age / 21), *drives) for kind in KINDS)


def support_tickets(today: Today) -> pa.Table:
    """Tickets opened, and how they will end."""
    who = today.present("support_tickets")
    health, angry = today.lives.health[who], today.lives.way[who] == ANGER
    rate = today.working(who) * (0.018 * np.exp(-0.4 * health) + 0.28 * angry)
    opens = today.chance.uniform("ticket", who, today.day) < rate
    who, health, angry = who[opens], health[opens], angry[opens]
    opened, recorded, spare = today.moments("ticket", who)
    urgency, topic, rated, mood = today.chance.lanes("ticket", who, today.day)
    hours = np.where(angry, 36, 18) * np.exp(1.5 * today.chance.normal("resolution", who, today.day))
    resolved = opened + (hours * 3600).astype(np.int64) * SECOND
    paying = today.lives.way[who] == PAYMENT
    satisfaction = np.clip(np.round(4 + 0.5 * health - 2 * angry + 3 * (mood - 0.5)), 1, 5)
    return _table(
        "support_tickets",
        ticket_id=_identifiers(f"T{today.date:%Y%m%d}-", today, who),
        customer_id=today.profiles.ids.take(pa.array(who)),
        opened_at=_times(opened),
        resolved_at=_times(resolved),
        priority=coded(np.searchsorted([0.25, 0.8, 0.95], urgency + 0.35 * angry), _PRIORITIES),
        category=coded(np.where(paying & (spare < 0.6), 4, topic * 5), _CATEGORIES),
        satisfaction=pa.array(satisfaction, mask=rated >= 0.6),
        recorded_at=_times(recorded),
    )


def invoices(today: Today) -> pa.Table:
    """Invoices issued, once a month each, when they will be paid, and whether a payment `fails` before."""
    who = today.present("invoices")
    billing = np.minimum(today.profiles.signed[who] % 31, 27) + 1
    who = who[billing == today.date.day]
    issued, recorded, spare = today.moments("invoice", who)
    terms = np.where(today.profiles.segment[who] == 2, 30, 14)
    due = (today.day + terms) * DAY
    paid, fails = _payment(today, who, due)
    paid = np.maximum(paid, issued + HOUR)
    void = spare < 0.004
    rows = _table(
        "invoices",
        invoice_id=_identifiers(f"I{today.date:%Y%m}-", today, who),
        customer_id=today.profiles.ids.take(pa.array(who)),
        due_at=_times(due),
        issued_at=_times(issued),
        paid_at=_times(paid, ~void),
        amount=pa.array(today.profiles.terms(who, today.day)[1]),
        status=coded(np.where(void, 3, 1), _STATUSES),
        recorded_at=_times(recorded),
    )
    return rows.append_column("fails", pa.array(fails))


def engagements(today: Today) -> pa.Table:
    """At most one contact per active customer."""
    who = today.present("engagements")
    way, health = today.lives.way[who], today.lives.health[who]
    left = np.where(way == STOP, 0.3, np.where(way == FADE, today.lives.usage_left(who, today.day), 1.0))
    warmth = today.working(who) * left * np.exp(0.4 * health)
    meeting = np.array([0.004, 0.012, 0.03])[today.profiles.segment[who]]
    limits = np.cumsum([0.06 * warmth, 0.02 * warmth, meeting * warmth, 0.004 * today.working(who)], axis=0)
    kind = (today.chance.uniform("engagement", who, today.day) >= limits).sum(axis=0)
    happens = kind < len(_CONTACTS)
    who, kind, health, angry = who[happens], kind[happens], health[happens], way[happens] == ANGER
    occurred, recorded, mood = today.moments("engagement", who)
    answer = np.clip(np.round(7.5 + 1.3 * health - 3.5 * angry + 4 * (mood - 0.5)), 0, 10)
    return _table(
        "engagements",
        customer_id=today.profiles.ids.take(pa.array(who)),
        occurred_at=_times(occurred),
        kind=coded(kind, _CONTACTS),
        channel=coded(np.array([0, 0, 1, 2])[kind], _CHANNELS),
        value=pa.array(answer, mask=kind != 3),
        recorded_at=_times(recorded),
    )


def known(name: str, rows: pa.Table, end: int) -> pa.Table:
    """Rows of a table as they were known at a moment, in microseconds: what had been recorded, ended as far as it had.

    What had ended by then stays so: a later moment adds rows and fills in outcomes.
    """
    rows = rows.filter(pa.array(_before(rows["recorded_at"], end)))
    if name == "support_tickets":
        told = _before(rows["resolved_at"], end)
        return _filled(
            rows, resolved_at=_where(told, rows["resolved_at"]), satisfaction=_where(told, rows["satisfaction"])
        )
    if name == "invoices":
        paid, fails, due = _before(rows["paid_at"], end), rows["fails"].to_numpy(), _before(rows["due_at"], end)
        void = rows["paid_at"].is_null().to_numpy()
        status = np.select([void, paid, fails & due], [3, 1, 2], 0)
        return _filled(
            rows.drop_columns("fails"), paid_at=_where(paid, rows["paid_at"]), status=coded(status, _STATUSES)
        )
    return rows


def season(day: dt.date) -> float:
    """The share of ordinary usage at this time of the year, low in summer and over Christmas."""
    holidays = (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 2)
    wave = 1 + 0.12 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 30) / 365.25)
    return float(wave * (0.35 if holidays else 1.0))


def coded(codes: Ints | Floats, names: tuple[str, ...]) -> pa.DictionaryArray:
    """Strings from a short list, by their position in it, rounded down."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(names))


def _usage_of(
    today: Today, kind: Kind, who: Ints, new: Floats, pace: Floats, working: Floats, left: Floats
) -> pa.Table:
    drive = pace + kind.health * today.lives.health[who] + kind.rhythm * working + kind.leaving * left
    rate = kind.rate * (1 + kind.setup * new) * np.exp(drive)
    chance, luck = -np.expm1(-rate), today.chance.uniform(kind.event, who, today.day)
    happens = luck < chance
    who, rate, chance, luck = who[happens], rate[happens], chance[happens], luck[happens]
    mean = kind.burst * rate / chance
    quantity = 1 + np.floor(np.log(luck / chance) / np.log1p(-1 / (mean + 1e-9)))
    occurred, recorded, spare = today.moments(kind.event, who)
    users = np.clip(np.sqrt(today.profiles.employees[who]) / 2, 1, len(_USERS))
    ids = today.profiles.ids.take(pa.array(who))
    return _table(
        "usage_events",
        customer_id=ids,
        occurred_at=_times(occurred),
        event=coded(np.full(len(who), KINDS.index(kind)), tuple(kind.event for kind in KINDS)),
        quantity=pa.array(quantity),
        user_id=pc.binary_join_element_wise(ids, coded(spare**2 * users, _USERS).dictionary_decode(), ""),
        recorded_at=_times(recorded),
    )


def _payment(today: Today, who: Ints, due: Ints) -> tuple[Ints, Mask]:
    """When invoices are paid and which fail at first; in payment trouble none is paid before the trouble ends."""
    punctual, slip, failing, delay = today.chance.lanes("payment", who, today.day)
    slips = np.where(slip < 0.06, 6 + 20 * delay, 0)
    days = np.where(failing < 0.015, 3 + 9 * delay, 6 * (punctual - 0.8) + slips)
    trouble = today.lives.way[who] == PAYMENT
    ends = (today.lives.leaves[who] + 10 + (20 * delay).astype(np.int64)) * DAY
    return np.where(trouble, ends, due + (days * 24).astype(np.int64) * HOUR), failing < np.where(trouble, 0.6, 0.015)


def _identifiers(prefix: str, today: Today, who: Ints) -> pa.Array:
    return pc.binary_join_element_wise(prefix, today.profiles.ids.take(pa.array(who)), "")


def _before(moments: pa.ChunkedArray, end: int) -> Mask:
    """What happened before a moment, in microseconds; what never happens did not."""
    return pc.less(moments.cast(pa.int64()), end).fill_null(False).to_numpy()


def _where(told: Mask, values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pa.array(told), values, pa.scalar(None, values.type))


def _filled(rows: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


def _times(moments: Ints, known: Mask | None = None) -> pa.TimestampArray:
    return pa.array(moments.astype("datetime64[us]"), mask=None if known is None else ~known)


def _table(name: str, **columns: pa.Array) -> pa.Table:
    return pa.table({column: columns[column] for column in SOURCE_TABLES[name].names})
