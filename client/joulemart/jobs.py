"""Jobs and their files, with what can be done to them (blocking)."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import calls
from .decode import decode
from .errors import ApiError, ConnectionLost, UnexpectedAnswer, WaitTimedOut
from .job_objects import FINAL_STATES, JobRecord, LogLine, OutputRecord, StateChange, StreamEvent
from .lines import LineAssembler
from .objects import Why
from .receipt_objects import EvidenceFile
from .receipt_resource import ReceiptResource
from .transport import Transport
from .wire import place_in

LOG_PAGE = 1000
POLL_FIRST_S = 0.3
POLL_LONGEST_S = 2.0

OnState = Callable[[StateChange], None]


@dataclass(frozen=True, kw_only=True)
class Output(OutputRecord):
    """A file a job left behind."""

    transport: Transport = field(repr=False, compare=False)

    def download(self, folder: Path | str = ".") -> Path:
        """Store the file under `folder` by its own path and return where.

        Raises VerificationFailed when size or SHA-256 differ from the record; nothing is kept then.
        """
        target = place_in(Path(folder), self.path)
        return self.transport.download(self.url, target, size=self.size, sha256=self.sha256)


@dataclass(frozen=True, kw_only=True)
class Job(JobRecord):
    """A submitted job as it was when read. Frozen: `refresh` and `wait` return newer ones."""

    outputs: tuple[Output, ...] = ()
    transport: Transport = field(repr=False, compare=False)

    def refresh(self) -> "Job":
        """The job as it is now."""
        return self.transport.fetch(calls.get(Job, "jobs", self.id))

    def wait(self, *, timeout_s: float | None = None, on_state: OnState | None = None) -> "Job":
        """The job once it has ended; `on_state` hears of each state. Raises WaitTimedOut; the job goes on."""
        watch = Watch(self, timeout_s=timeout_s, on_state=on_state)
        try:
            for event in self.follow():
                watch.see(event)
        except (ConnectionLost, ApiError):
            # No stream here: reading the job itself tells the same, only later.
            return self._polled(watch)
        return self._polled(watch)

    def logs(self, *, follow: bool = False) -> Iterator[LogLine]:
        """The log's lines. With `follow`, new ones as they come until the job ends, over any number of cuts."""
        parts = (event for event in self.follow() if isinstance(event, LogLine))
        assembler = LineAssembler()
        for part in parts if follow else stored_parts(self.transport, self.id):
            yield from assembler.feed(part)
        yield from assembler.flush()

    def follow(self) -> Iterator[StreamEvent | None]:
        """Everything the job's stream says; None is a sign of life without news."""
        return self.transport.follow(f"/jobs/{self.id}/logs")

    def why(self) -> Why:
        """Why the job runs where it does, or what to relax so that it can run."""
        return self.transport.fetch(calls.why(self.id))

    def receipt(self, *, timeout_s: float | None = 60.0) -> EvidenceFile:
        """The receipt of its energy, or of the reservation it ran in, which has one when it has ended.

        Raises WaitTimedOut.
        """
        return ReceiptResource(self.transport).wait_for(self.reservation or self.id, timeout_s=timeout_s)

    def cancel(self, *, idempotency_key: str | None = None) -> "Job":
        """Stop the job."""
        return self.transport.fetch(calls.move_job(Job, self.id, "cancel", key=idempotency_key))

    def _polled(self, watch: "Watch") -> "Job":
        pause = POLL_FIRST_S
        while True:
            job = self.refresh()
            watch.see(state_of(job))
            if job.is_final:
                return job
            self.transport.sleep(pause)
            pause = min(POLL_LONGEST_S, pause * 1.5)


def state_of(job: JobRecord) -> StateChange:
    """A job's state as its stream would tell it."""
    return StateChange(
        state=job.state, version=job.version, sentence=job.sentence, reason=job.reason, allocation=job.allocation
    )


class Watch:
    """One wait for a job: reports each state once and knows when time is up."""

    def __init__(self, job: JobRecord, *, timeout_s: float | None, on_state: OnState | None) -> None:
        self._job_id = job.id
        self._timeout_s = timeout_s
        self._began = time.monotonic()
        self._on_state = on_state
        self._state = job.state
        self._version = job.version or 0

    def see(self, event: StreamEvent | None) -> None:
        """Note an event. Raises WaitTimedOut when the time is over and the job is not."""
        if isinstance(event, StateChange) and self._is_news(event):
            self._state, self._version = event.state, event.version or self._version
            if self._on_state is not None:
                self._on_state(event)
        over = self._timeout_s is not None and time.monotonic() - self._began > self._timeout_s
        if over and self._state not in FINAL_STATES:
            raise WaitTimedOut(f"{self._job_id} is {self._state or 'not over'} after {self._timeout_s:g} s; it goes on")

    def _is_news(self, change: StateChange) -> bool:
        """Another state, and not an older one told late."""
        return change.state != self._state and (change.version is None or change.version >= self._version)


def read_parts(text: str) -> list[LogLine]:
    """Parts of a stored log, one JSON object a line. Raises UnexpectedAnswer."""
    try:
        rows: list[Mapping[str, Any]] = [json.loads(row) for row in text.split("\n") if row.strip()]
    except json.JSONDecodeError as error:
        raise UnexpectedAnswer("the log should be JSON lines") from error
    return [decode(LogLine, row) for row in rows]


def parts_after(job_id: str, last: LogLine | None) -> calls.Call[LogLine]:
    """The call for the parts behind `last`, from the beginning when None."""
    number, offset = (last.number, last.next_offset) if last else (0, 0)
    return calls.get(LogLine, "jobs", job_id, "logs", number=number, offset=offset, limit=LOG_PAGE)


def has_moved(parts: list[LogLine], last: LogLine | None) -> bool:
    """Whether `parts` bring anything behind `last`."""
    if not parts or last is None:
        return bool(parts)
    return (parts[-1].number, parts[-1].next_offset) > (last.number, last.next_offset)


def stored_parts(transport: Transport, job_id: str) -> Iterator[LogLine]:
    """Everything stored so far."""
    last: LogLine | None = None
    while has_moved(parts := read_parts(transport.send(parts_after(job_id, last)).text), last):
        yield from parts
        last = parts[-1]
