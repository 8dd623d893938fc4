"""Server-Sent Events: a job's log, state and meters, and the journal, each resumable by Last-Event-ID.

Every stream reads PostgreSQL and is only woken by Redis: a lost hint costs at most a second.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio as aioredis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from redis import RedisError

from accounts.models import Organization
from accounts.streaming import readers_of
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from marketplace.common.problems import problem_json
from marketplace.events.eventview import event_as_json
from marketplace.events.models import Event
from scheduler.jobview import job_as_json
from scheduler.logs import read_log
from scheduler.models import Job
from scheduler.states import JOB

HINT_SECONDS = 1.0
PING_SECONDS = 15.0
PARTS = 500


def frame(event: str, data: dict[str, Any], id_: str = "") -> bytes:
    """One Server-Sent Event."""
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@dataclass(slots=True)
class JobCursor:
    """What a follower of a job has seen."""

    job: str
    number: int = 0
    offset: int = 0
    version: int = 0
    meters: dict[str, Any] = field(default_factory=dict)

    def news(self) -> tuple[list[bytes], bool]:
        """(frames not seen yet, whether the job has ended and all was said)."""
        close_old_connections()
        job = Job.objects.with_story().get(public_id=self.job)
        view = job_as_json(job, utc_now())
        frames = self._log(job)
        caught_up = len(frames) < PARTS
        if job.version != self.version:
            self.version = job.version
            keys = ("state", "version", "sentence", "reason", "attempts", "allocation", "queue", "outputs")
            frames.append(frame("state", {key: view[key] for key in keys}))
        meters = {"usage": view["usage"], "cost": view["cost"], "as_of": utc_now().isoformat()}
        if meters["usage"] != self.meters:
            self.meters = meters["usage"]
            frames.append(frame("meter", meters))
        return frames, caught_up and job.state in JOB.final

    def _log(self, job: Job) -> list[bytes]:
        frames = []
        for part in read_log(job, number=self.number, offset=self.offset, limit=PARTS):
            self.number, self.offset = part.number, part.next_offset
            data = {
                "attempt": part.attempt, "number": part.number, "offset": part.offset,
                "next_offset": part.next_offset, "text": part.text, "at": part.at.isoformat(),
            }  # fmt: skip
            frames.append(frame("log", data, f"{part.number}-{part.next_offset}"))
        return frames


@dataclass(slots=True)
class JournalCursor:
    """What a follower of the journal has seen."""

    organizations: list[Organization]
    after: int

    def news(self) -> tuple[list[bytes], bool]:
        """(events not seen yet, never an end)."""
        close_old_connections()
        events = list(Event.objects.seen_by(self.organizations).after(self.after).order_by("pk")[:PARTS])
        if events:
            self.after = events[-1].pk
        return [frame(each.type, event_as_json(each), each.public_id) for each in events], False


async def job_stream(request: HttpRequest, job: str) -> HttpResponseBase:
    """Follow one job: log, state and meters until it has ended."""
    try:
        cursor = await sync_to_async(_job_cursor)(request, job)
    except DomainError as error:
        return problem_json(error, request)
    return _stream(_follow(cursor.news, [job]))


async def event_stream(request: HttpRequest) -> HttpResponseBase:
    """Follow the journal of one's organizations."""
    try:
        cursor = await sync_to_async(_journal_cursor)(request)
    except DomainError as error:
        return problem_json(error, request)
    return _stream(_follow(cursor.news, ["journal"]))


def _job_cursor(request: HttpRequest, job: str) -> JobCursor:
    Job.objects.of(readers_of(request, "jobs:read")).by_public_id(job)
    number, _, offset = request.headers.get("Last-Event-ID", "").partition("-")
    if number.isdigit() and offset.isdigit():
        return JobCursor(job=job, number=int(number), offset=int(offset))
    return JobCursor(job=job)


def _journal_cursor(request: HttpRequest) -> JournalCursor:
    organizations = readers_of(request, "jobs:read")
    seen = Event.objects.filter(public_id=request.headers.get("Last-Event-ID", "")).first()
    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return JournalCursor(organizations=organizations, after=seen.pk if seen else last)


async def _follow(news: Callable[[], tuple[list[bytes], bool]], channels: list[str]) -> AsyncIterator[bytes]:
    quiet = 0.0
    async with _Hints(channels) as hints:
        while True:
            frames, ended = await sync_to_async(news, thread_sensitive=False)()
            for each in frames:
                yield each
            if ended:
                yield frame("end", {})
                return
            quiet = 0.0 if frames else quiet + HINT_SECONDS
            if quiet >= PING_SECONDS:
                quiet = 0.0
                yield b": still here\n\n"
            await hints.wait()


class _Hints:
    """Waits for a hint on any channel, or a second."""

    def __init__(self, channels: list[str]) -> None:
        self.names = [f"jm:{channel}" for channel in channels]
        self.client = aioredis.Redis.from_url(settings.REDIS_URL)
        self.subscription = self.client.pubsub(ignore_subscribe_messages=True)
        self.listening = False

    async def __aenter__(self) -> "_Hints":
        try:
            await self.subscription.subscribe(*self.names)
            self.listening = True
        except RedisError:
            self.listening = False
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.subscription.aclose()  # type: ignore[no-untyped-call]
        await self.client.aclose()

    async def wait(self) -> None:
        if self.listening:
            try:
                await self.subscription.get_message(timeout=HINT_SECONDS)
            except RedisError:
                self.listening = False
            else:
                return
        await asyncio.sleep(HINT_SECONDS)


def _stream(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    response["Access-Control-Allow-Origin"] = settings.WEB_URL
    response["Access-Control-Allow-Credentials"] = "true"
    return response
