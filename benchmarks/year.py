"""Year: the whole loop over twelve simulated months, day by day and with nobody there, against the true effect."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
import yaml

from assets.ingestion import ingest_customers, ingest_facts, ingest_months
from benchmarks.conduct import Conduct, conduct
from benchmarks.measures import Row, row
from orchestration_project.acting import Acting
from orchestration_project.cli.runs import Runs
from orchestration_project.domain.conduct import History
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.effects import power
from orchestration_project.domain.impact import Assigned, everyone, first_of_each
from orchestration_project.domain.rules import ImpactRules
from orchestration_project.drafting import ALERTS, DRAFTS, Drafting
from orchestration_project.freshness import fresh_sources
from orchestration_project.impact import Finding, Measuring, sentence
from orchestration_project.impact_report import impact_report
from orchestration_project.lake import Lake
from orchestration_project.manifests import HEALTH, manifest_files
from orchestration_project.operations import reviews, switches
from orchestration_project.operations.models import OutboxMessage
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from orchestration_project.outgoing import Outgoing, waiting
from orchestration_project.partitions import months_to_refresh
from orchestration_project.planning import Planning
from orchestration_project.refits import Learner
from orchestration_project.resources import Workspace
from orchestration_project.retention import apply_retention
from orchestration_project.scans import Scan
from orchestration_project.settings import Home, cutoff
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.unfolding import Unfolding
from orchestration_project.weights import decisions
from sensors.triggers import REFIT_DAY, RETENTION_DAY

START, FIRST, LAST = date(2025, 8, 1), date(2026, 1, 1), date(2026, 12, 31)
"""The company begins, and is scanned for the first and for the last time."""
FACTS = ("support_tickets", "invoices", "engagements")
TABLES = ("customers", "usage_events", *FACTS)
SCANNED = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores")
MORNING, LOOKS, PERSON_COMES = 7, (7, 8, 10, 13, 16, 19, 22), 10
"""Hours (UTC) of the scan, of looks for messages that are due, and at which the person who approves comes."""
SCRIPTED = "scripted person"
BY_DAGSTER = frozenset(date(2026, month, REFIT_DAY - 1) for month in (2, 5, 8, 11))
"""Days of the long runs that Dagster's jobs scan; their mornings are those of refits."""

SEED = 2026
CUSTOMERS, MORE, FEW, CHURN, EFFECT, CONTROL_SHARE = 3000, 5000, 200, 0.05, 0.6, 0.5
EXPECTED_KNOWN, EXPECTED_CHURN, IN_REACH = 0.3, 0.27, 0.85
"""First assignments with outcomes that count, of all customers; who of them leaves untreated; who of those in time."""
SCENARIOS = {
    "it helps": ({}, "helps"),
    "it changes nothing": ({"outreach_effect": 0, "customers": MORE}, "no effect shown"),
    "few customers": ({"customers": FEW}, "not enough data"),
}
"""By name: what differs from the company that was planned, and what the page is to say."""


@dataclass
class Clock:
    """The simulated time."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Year:
    """A company that is scanned and acted on every day, as the schedules and sensors would do it.

    Days named in `by_dagster` are refreshed, scanned, learned from and delivered by Dagster's jobs; all others by the
    functions that the assets and ops of those jobs call, in the same order.
    """

    folder: Path
    company: Company
    first: date = FIRST
    last: date = LAST
    autonomy: str = "auto"
    control_share: float = 0.5
    by_dagster: frozenset[date] = frozenset()
    seconds: list[float] = field(default_factory=list)
    """Processor time of each day."""

    def __post_init__(self) -> None:
        self.clock = Clock(_at(self.first, 0))
        self.workspace = Workspace(Home(self.folder / "home"), self.clock)
        self.treated, self._untreated = Unfolding(self.company), Unfolding(self.company)
        self._configure()
        while self.treated.day < self.first:
            self.treated.advance()
        self.treated.write(self.folder)

    def run(self) -> None:
        """Lives through all days: each morning the day before is scanned, then messages leave and take effect."""
        while self.treated.day <= self.last:
            began = time.process_time()
            self._morning(self.treated.day)
            self._day_of_deliveries()
            self.treated.advance(self._reached(self.treated.day + timedelta(days=1)))
            self.treated.write(self.folder)
            self.seconds.append(time.process_time() - began)

    @property
    def untreated(self) -> Unfolding:
        """The same company on the same day, had nobody ever been treated."""
        while self._untreated.day < self.treated.day:
            self._untreated.advance()
        return self._untreated

    def _morning(self, day: date) -> None:
        self.clock.now = _at(day + timedelta(days=1), MORNING)
        if day in self.by_dagster:
            self._by_jobs(day)
            return
        self._refresh(day)
        with self.workspace.lake() as lake, Store.open(self.workspace.home) as store:
            scan, days = Scan(lake, self.workspace), DayRange(day, day)
            for table in SCANNED:
                scan.write(table, days)
            Planning(lake, self.workspace, store).write(days)
            for table in (DRAFTS, ALERTS):
                Drafting(lake, self.workspace, self.workspace.workflow, _silent).write(table, day)
            self._act(day, lake, store)
            measuring = Measuring(lake, self.workspace)
            measuring.switch_off(measuring.write(days)[-1])
            if self.clock.now.day == REFIT_DAY:
                self._learn(lake)
        if self.clock.now.day == RETENTION_DAY:
            apply_retention(self.workspace)

    def _refresh(self, day: date) -> None:
        ingest_customers(self.workspace, _silent)
        for name in FACTS:
            ingest_facts(name, self.workspace, _silent)
        months = months_to_refresh(day, self.clock.now.date())
        ingest_months(self._unread if day == self.first else months, self.workspace, _silent)

    @property
    def _unread(self) -> list[date]:
        return months_to_refresh(self.company.start, self.clock.now.date())

    def _act(self, day: date, lake: Lake, store: Store) -> None:
        fresh = fresh_sources(lake, self.workspace, day)
        permit = Permit.for_run(f"day {day}", {}, DayRange(day, day), self.workspace.yesterday, fresh, self.clock.now)
        acting = Acting(store, lake, self.workspace, permit)
        acting.queue_drafts()
        acting.raise_alerts()
        acting.ask_people()

    def _learn(self, lake: Lake) -> None:
        learner = Learner(lake, self.workspace)
        learner.write_outcomes(self._month_over)
        learner.write_refit(self._month_over)

    @property
    def _month_over(self) -> date:
        return (self.clock.now.date().replace(day=1) - timedelta(days=1)).replace(day=1)

    def _by_jobs(self, day: date) -> None:
        """The same by Dagster's jobs; the jobs of its automation and sensors, not the daemon that starts them."""
        with dg.DagsterInstance.ephemeral() as instance:
            runs = Runs(self.workspace, instance, _silent)
            runs.refresh(self._unread if day == self.first else months_to_refresh(day, self.clock.now.date()))
            runs.scan(day, day)
            if self.clock.now.day == REFIT_DAY:
                runs.learn(self._month_over, self._month_over)
            runs.deliver(limit=500)

    def _day_of_deliveries(self) -> None:
        """What the sensor of due messages starts, at some hours of the day; at one of them a person decides."""
        today = self.clock.now.date()
        with Store.open(self.workspace.home) as store:
            for hour in LOOKS:
                self.clock.now = _at(today, hour)
                if hour == PERSON_COMES:
                    self._decide(store)
                if waiting(self.workspace):
                    outgoing = Outgoing(self.workspace, store, f"worker {today}")
                    outgoing.expire()
                    outgoing.carry_on()
                    outgoing.read()
                    outgoing.deliver(limit=1000)

    def _decide(self, store: Store) -> None:
        """Approves every message that is put before a person; other questions stay unanswered."""
        with store.transaction(SCRIPTED, self.clock.now) as tx:
            while items := [each for each in reviews.page(tx.session, limit=1000).items if each.action_id]:
                for item in items:
                    reviews.claim(tx, item.id)
                    reviews.approve(tx, item.id)

    def _reached(self, day: date) -> Sequence[str]:
        """Whom a message reached on a day, or the alert about whom reached the account manager."""
        with Store.open(self.workspace.home) as store, store.reading() as session:
            wanted = sa.select(OutboxMessage.payload).where(
                OutboxMessage.sent_at >= _at(day, 0), OutboxMessage.sent_at < _at(day + timedelta(days=1), 0),
                OutboxMessage.record_of.is_(None),
            )  # fmt: skip
            return sorted({payload["customer_id"] for payload in session.scalars(wanted)})

    def _configure(self) -> None:
        home = self.workspace.home
        home.path.mkdir(parents=True)
        home.workflows.mkdir()
        settings = {
            "history_start": self.company.start, "engine": {"threads": 1, "memory_limit": "2GB"},
            "learning": {"control_share": self.control_share},
        }  # fmt: skip
        home.settings_file.write_text(yaml.safe_dump(settings))
        tables = self.folder / "tables"
        sources = {name: {"connector": "files", "path": f"{tables / name}/*.parquet"} for name in TABLES}
        home.sources_file.write_text(yaml.safe_dump({"tables": sources}))
        manifest = yaml.safe_load(manifest_files(home)[HEALTH].read_text(encoding="utf-8"))
        manifest["roles"]["outreach_agent"]["acts"]["autonomy"] = self.autonomy
        (home.workflows / f"{HEALTH}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))


@dataclass(frozen=True)
class Truth:
    """What treatment changed for the treated whose outcome is known: how many left, and would have left without it."""

    treated: int
    left: int
    would_have_left: int
    held_back_alike: bool
    """Whether those held back fared exactly as where nobody was treated."""

    @property
    def effect(self) -> float:
        """Retention with treatment minus retention of the same customers without."""
        return (self.would_have_left - self.left) / self.treated


@dataclass(frozen=True)
class Outcome:
    """How a year ended."""

    finding: Finding
    words: str
    page: str
    truth: Truth | None
    conduct: Conduct


def outcome(year: Year) -> Outcome:
    """What the system says on the last evening, what is true, and how it behaved."""
    workspace, day = year.workspace, year.last
    with workspace.lake() as lake:
        measuring = Measuring(lake, workspace)
        (finding,) = measuring.findings(DayRange(day, day))
        page = impact_report(workspace, lake, measuring, finding)
        history = measuring.history(day).known(day, cutoff(day, workspace.settings.grace_hours))
        found = truth(year, history, measuring.horizon)
    file = workspace.home.reports / f"impact-{day}.html"
    file.parent.mkdir(exist_ok=True)
    file.write_text(page, encoding="utf-8")
    with Store.open(workspace.home) as store, store.reading() as session:
        done = conduct(session, workspace)
    return Outcome(finding, sentence(finding.overall, measuring.horizon), page, found, done)


def truth(year: Year, history: History, horizon: int) -> Truth | None:
    """What treatment changed, from the same company in which nobody was treated; None where no outcome is known."""
    known = [row for row in first_of_each(history.assigned) if row.churned is not None]
    actual, otherwise = (_left_on(each) for each in (year.treated, year.untreated))
    assert all(row.churned == _within(row, actual, horizon) for row in known), "outcomes are those of the simulation"
    treated = [row for row in known if row.arm == "treated"]
    if not treated:
        return None
    return Truth(
        len(treated),
        sum(_within(row, actual, horizon) for row in treated),
        sum(_within(row, otherwise, horizon) for row in treated),
        all(actual[row.customer_id] == otherwise[row.customer_id] for row in known if row.arm == "control"),
    )


def _left_on(company: Unfolding) -> dict[str, date | None]:
    fates = company.fates()
    return dict(zip(fates["customer_id"].to_pylist(), fates["leaves_on"].to_pylist(), strict=True))


def _within(row: Assigned, left_on: dict[str, date | None], horizon: int) -> bool:
    left = left_on[row.customer_id]
    return left is not None and row.scan_day < left <= row.scan_day + timedelta(days=horizon)


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def _silent(_text: str) -> None:
    """Nobody listens."""


def year(folder: Path) -> list[Row]:
    """Three companies over a year, each in a process of its own: one is helped, one is not, one is small."""
    rows = [
        _declared(CUSTOMERS, EFFECT * IN_REACH, "what is averted"),
        _declared(MORE, ImpactRules().least_of_interest, "the least of interest"),
    ]
    for name, (_, verdict) in SCENARIOS.items():
        rows += told(name, verdict, scenario(folder, name))
    return rows


def _declared(customers: int, averted: float, what: str) -> Row:
    n = round(customers * EXPECTED_KNOWN / 2)
    found = power(n, n, EXPECTED_CHURN, averted * EXPECTED_CHURN)
    return row(f"power declared to show {what}, {averted:.0%} of leaves", f"{found:.3f}", "0.8", found >= 0.8)


def told(name: str, verdict: str, ended: dict[str, Any]) -> Iterator[Row]:
    """The rows of one scenario."""
    said, low, high, effect = (ended[key] for key in ("verdict", "low", "high", "effect"))
    yield row(f"{name}: verdict after {ended['days']} days", said, verdict, said == verdict)
    if effect is not None and low is not None:
        figure = f"{ended['lift']:+.3f} ({low:+.3f} to {high:+.3f}), true {effect:+.3f}, {ended['known']:,} outcomes"
        yield row(f"{name}: lift, its 95 % interval and the true effect", figure, "covers", low <= effect <= high)
    yield row(f"{name}: days by verdict", _counts(ended["verdicts"]))
    sent = f"{ended['mails']:,} mails, {ended['alerts']:,} alerts"
    yield row(f"{name}: {sent}: broken rules", _counts(ended["broken"]), "0", not any(ended["broken"].values()))
    yield row(f"{name}: messages unsent at the end", _counts(ended["unsent"]))
    yield row(f"{name}: questions to people", _counts(ended["asked"]))
    yield row(f"{name}: months learned from, plays switched off", f"{ended['promoted']}, {ended['switched_off']}")
    slow = f"median {ended['median']:.1f}, longest {ended['longest']:.1f} s"
    yield row(f"{name}: processor time per day, peak memory", f"{slow}, {ended['peak_gb']:.1f} GB")


def child_year() -> None:
    """In a process of its own: a scenario, whose end is printed as JSON."""
    name, folder = os.environ["BENCH_SCENARIO"], Path(os.environ["BENCH_HOME"])
    changes, _ = SCENARIOS[name]
    planned = {"customers": CUSTOMERS, "seed": SEED, "start": START, "months": 17, "monthly_churn": CHURN,
               "outreach_effect": EFFECT}  # fmt: skip
    lived = Year(folder, Company(**planned | changes), control_share=CONTROL_SHARE, by_dagster=BY_DAGSTER)
    lived.run()
    print(json.dumps(ended(lived)))


def ended(lived: Year) -> dict[str, Any]:
    """How a year ended, as plain values."""
    found = outcome(lived)
    lift, done = found.finding.overall.lift, asdict(found.conduct)
    return done | {
        "verdict": found.finding.overall.verdict, "words": found.words, "said": found.words in found.page,
        "lift": lift.difference, "low": lift.low, "high": lift.high, "known": everyone(lift).customers,
        "effect": found.truth and found.truth.effect, "held_back_alike": found.truth and found.truth.held_back_alike,
        "days": len(lived.seconds), "median": statistics.median(lived.seconds), "longest": max(lived.seconds),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, **_learned(lived.workspace),
    }  # fmt: skip


def _learned(workspace: Workspace) -> dict[str, Any]:
    """How often which verdict stood on the page of a day, and what was learned and switched off."""
    with workspace.lake() as lake, Store.open(workspace.home) as store, store.reading() as session:
        outcomes = lake.read("business_outcomes")
        overall = outcomes.filter(outcomes.metric == "retention_lift", outcomes.play.isnull())
        return {
            "verdicts": dict(Counter(row["verdict"] for row in lake.engine.rows(overall.select("verdict")))),
            "promoted": [f"{each.month:%Y-%m}" for each in decisions(lake) if each.status == "champion"],
            "switched_off": sorted(switches.off(session)),
        }


def scenario(folder: Path, name: str) -> dict[str, Any]:
    """Lives through a scenario in a process of its own, and returns how it ended."""
    home = folder / name.replace(" ", "-")
    home.mkdir()
    environment = os.environ | {"BENCH_HOME": str(home), "BENCH_SCENARIO": name}
    command = [sys.executable, "-c", "from benchmarks.year import child_year; child_year()"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    return json.loads(done.stdout.splitlines()[-1])


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in found.items()) or "none"
