"""`jobs.py` for asyncio."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from . import calls
from .aio_receipts import AsyncReceiptResource
from .aio_transport import AsyncTransport
from .errors import ApiError, ConnectionLost
from .job_objects import JobRecord, LogLine, OutputRecord, StreamEvent
from .jobs import POLL_FIRST_S, POLL_LONGEST_S, OnState, Watch, has_moved, parts_after, read_parts, state_of
from .lines import LineAssembler
from .objects import Why
from .receipt_objects import EvidenceFile
from .wire import place_in


@dataclass(frozen=True, kw_only=True)
class AsyncOutput(OutputRecord):
    """A file a job left behind."""

    transport: AsyncTransport = field(repr=False, compare=False)

    async def download(self, folder: Path | str = ".") -> Path:
        """Store the file under `folder` by its own path and return where. Raises VerificationFailed."""
        target = place_in(Path(folder), self.path)
        return await self.transport.download(self.url, target, size=self.size, sha256=self.sha256)


@dataclass(frozen=True, kw_only=True)
class AsyncJob(JobRecord):
    """A submitted job as it was when read. Frozen: `refresh` and `wait` return newer ones."""

    outputs: tuple[AsyncOutput, ...] = ()
    transport: AsyncTransport = field(repr=False, compare=False)

    async def refresh(self) -> "AsyncJob":
        """The job as it is now."""
        return await self.transport.fetch(calls.get(AsyncJob, "jobs", self.id))

    async def wait(self, *, timeout_s: float | None = None, on_state: OnState | None = None) -> "AsyncJob":
        """The job once it has ended; `on_state` hears of each state. Raises WaitTimedOut; the job goes on."""
        watch = Watch(self, timeout_s=timeout_s, on_state=on_state)
        try:
            async for event in self.follow():
                watch.see(event)
        except (ConnectionLost, ApiError):
            # No stream here: reading the job itself tells the same, only later.
            return await self._polled(watch)
        return await self._polled(watch)

    async def logs(self, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """The log's lines. With `follow`, new ones as they come until the job ends, over any number of cuts."""
        assembler = LineAssembler()
        async for part in self._followed_parts() if follow else self._stored_parts():
            for line in assembler.feed(part):
                yield line
        for line in assembler.flush():
            yield line

    def follow(self) -> AsyncIterator[StreamEvent | None]:
        """Everything the job's stream says; None is a sign of life without news."""
        return self.transport.follow(f"/jobs/{self.id}/logs")

    async def why(self) -> Why:
        """Why the job runs where it does, or what to relax so that it can run."""
        return await self.transport.fetch(calls.why(self.id))

    async def receipt(self, *, timeout_s: float | None = 60.0) -> EvidenceFile:
        """The receipt of its energy, or of the reservation it ran in, which has one when it has ended.

        Raises WaitTimedOut.
        """
        return await AsyncReceiptResource(self.transport).wait_for(self.reservation or self.id, timeout_s=timeout_s)

    async def cancel(self, *, idempotency_key: str | None = None) -> "AsyncJob":
        """Stop the job."""
        call = calls.move_job(AsyncJob, self.id, "cancel", key=idempotency_key)
        return await self.transport.fetch(call)

    async def _followed_parts(self) -> AsyncIterator[LogLine]:
        async for event in self.follow():
            if isinstance(event, LogLine):
                yield event

    async def _stored_parts(self) -> AsyncIterator[LogLine]:
        last: LogLine | None = None
        while has_moved(parts := read_parts((await self.transport.send(parts_after(self.id, last))).text), last):
            for part in parts:
                yield part
            last = parts[-1]

    async def _polled(self, watch: Watch) -> "AsyncJob":
        pause = POLL_FIRST_S
        while True:
            job = await self.refresh()
            watch.see(state_of(job))
            if job.is_final:
                return job
            await self.transport.sleep(pause)
            pause = min(POLL_LONGEST_S, pause * 1.5)
