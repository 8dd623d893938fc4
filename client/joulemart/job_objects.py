"""A job and its parts as data; `jobs.py` adds what can be done with one. Units as in `objects.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .objects import Offer, Record, Relaxation, Site

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "expired"})


@dataclass(frozen=True, kw_only=True)
class ExpectedStart(Record):
    """When a queued job will start, with 50 and 90 % probability."""

    p50: datetime | None = None
    p90: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Queue(Record):
    """Where a queued job stands: position 1 is next."""

    position: int | None = None
    waiting_s: int = 0
    expected_start: ExpectedStart | None = None


@dataclass(frozen=True, kw_only=True)
class Unplaced(Record):
    """Why no offer took a queued job, and the smallest changes that would help."""

    code: str = ""
    sentence: str = ""
    rejected: Mapping[str, int] = field(default_factory=dict)
    relax: tuple[Relaxation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Allocation(Record):
    """The offer, hours and price a job was given, and why in one sentence.

    `stops_after_s` is set where the budget ends the job (`budget_stop`) before its time limit would.
    """

    id: str = ""
    offer: Offer | None = None
    site: Site | None = None
    start: datetime | None = None
    end: datetime | None = None
    units: int = 1
    total_minor: int | None = None
    stops_after_s: int | None = None
    round: str = ""
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempt(Record):
    """One try to run a job; `reason` says how it ended."""

    id: str = ""
    number: int = 1
    state: str = ""
    reason: str = ""
    exit_code: int | None = None
    site: Site | None = None
    offer: Offer | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Usage(Record):
    """What a job has used so far; `energy_method` and `quality` say whether it was metered or modelled."""

    seconds: float = 0
    unit_seconds: float = 0
    cpu_ms: int = 0
    peak_memory_bytes: int = 0
    energy_wh: float = 0
    energy_method: str = ""
    carbon_ug: int = 0
    renewable_share_ppm: int | None = None
    quality: str = ""


@dataclass(frozen=True, kw_only=True)
class Cost(Record):
    """Money spent by a job so far, its ceiling, and what an hour costs now."""

    to_date_minor: int = 0
    ceiling_minor: int | None = None
    rate_mm_per_hour: int | None = None


@dataclass(frozen=True, kw_only=True)
class JobInput(Record):
    """A file a job starts with."""

    path: str = ""
    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class OutputRecord(Record):
    """A file a job left behind; `url` is a signed link."""

    id: str = ""
    path: str
    size: int
    sha256: str
    url: str


@dataclass(frozen=True, kw_only=True)
class JobRecord(Record):
    """A job: what to run, its limits, where it stands and what it has cost."""

    id: str = ""
    name: str = ""
    state: str = ""
    version: int | None = None
    sentence: str = ""
    reason: str = ""
    units: int = 1
    time_limit_s: int = 0
    retries: int = 0
    currency: str = "USD"
    created_at: datetime | None = None
    start_after: datetime | None = None
    finish_by: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reservation: str | None = None
    site: Site | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    budget_stop: bool = False
    weights: Mapping[str, int] = field(default_factory=dict)
    when: str = ""
    near: str = ""
    queue: Queue | None = None
    unplaced: Unplaced | None = None
    allocation: Allocation | None = None
    attempts: tuple[Attempt, ...] = ()
    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=Cost)
    inputs: tuple[JobInput, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether the job has ended for good."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, kw_only=True)
class LogLine(Record):
    """One line of a job's log: attempt `number`, bytes [offset, next_offset) of that attempt's log, `text` without
    its line ending."""

    attempt: str = ""
    number: int
    offset: int
    next_offset: int
    text: str
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StateChange(Record):
    """A job's state moved."""

    state: str
    version: int | None = None
    sentence: str = ""
    reason: str = ""
    allocation: Allocation | None = None


@dataclass(frozen=True, kw_only=True)
class MeterReading(Record):
    """Usage and cost while a job runs."""

    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, kw_only=True)
class StreamEnd(Record):
    """The stream is complete: nothing more will come."""


StreamEvent = LogLine | StateChange | MeterReading | StreamEnd
