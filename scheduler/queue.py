"""The queue as columns: which jobs of a shard wait for their turn, read in one statement, and as the core sees them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from marketplace.common.sending import Answer, ask
from scheduler.asks import ask_fields, seconds
from scheduler.core.asks import NEVER, AskColumns
from scheduler.core.fairness import age_mm, share_mm
from scheduler.core.types import Ask
from scheduler.models import Job
from scheduler.shards import Shard

Ints = npt.NDArray[np.int64]
NUMBERS = ("pk", "version", "buyer", "start_after", "finish_by", "due", "submitted", "gang", "gang_size", "special")
EPOCH_S, MICRO = 946_684_800, 10**6  # PostgreSQL counts microseconds from 2000
MOST_KNOWN = 50_000  # asks that a process remembers
# The inner queries stay apart: the queue is walked in turn, and each job is looked up by its key.
READ = """
    WITH turn AS (
        SELECT job.* FROM (
            SELECT job_id, due_at FROM scheduler_queueentry WHERE segment = %s AND region_group = %s
        ) AS entry CROSS JOIN LATERAL (
            SELECT id, public_id, version, buyer_id, start_after, finish_by, due_at, created_at, gang_id, ask_sha256,
                   unplaced, excluded_sites FROM scheduler_job
            WHERE id = entry.job_id AND state = 'queued' AND (
                next_attempt_at <= %s OR unplaced IS NOT NULL AND gang_id IN (
                    SELECT gang.id FROM scheduler_gang AS gang JOIN scheduler_job AS other ON other.gang_id = gang.id
                    WHERE gang.ended_at IS NULL AND other.state = 'queued' AND other.next_attempt_at <= %s
                )
            ) OFFSET 0
        ) AS job ORDER BY entry.due_at, entry.job_id LIMIT %s
    )
    SELECT string_agg(record_send(ROW(
               id, version::bigint, buyer_id, coalesce(start_after, 'infinity'), coalesce(finish_by, 'infinity'),
               due_at, created_at, coalesce(gang_id, %s), CASE WHEN gang_id IS NULL THEN 1 ELSE (
                   SELECT greatest(gang.size - count(*), 0) + count(*) FILTER (WHERE other.finished_at IS NULL)
                   FROM scheduler_job AS other JOIN scheduler_gang AS gang ON gang.id = other.gang_id
                   WHERE gang.id = turn.gang_id GROUP BY gang.size
               ) END, (unplaced IS NOT NULL OR excluded_sites <> '{}')::int::bigint, ask_sha256
           )), ''),
           string_agg(public_id, ','),
           (jsonb_object_agg(id, jsonb_build_array(unplaced, excluded_sites))
               FILTER (WHERE unplaced IS NOT NULL OR excluded_sites <> '{}'))::text
    FROM turn
"""
ASKS = "SELECT id, ask::text FROM scheduler_job WHERE id = ANY(%s)"
ENDLESS = (1 << 63) - 1  # 'infinity'
# A row in PostgreSQL's binary format: how many values, then of each its type, its length and itself.
ROW = np.dtype(
    [("count", ">i4")]
    + [(name, [("type", ">i4"), ("length", ">i4"), ("value", ">i8")]) for name in NUMBERS]
    + [("ask", [("type", ">i4"), ("length", ">i4"), ("value", "V32")])]
)
_known: dict[bytes, Ask] = {}  # asks by the SHA-256 of what is stored


@dataclass(frozen=True)
class Queue:
    """Waiting jobs as columns, those due first. `form` is an index into `forms`, which say what equal jobs ask for and
    the sites they are kept away from; times in unix seconds, NEVER is none.

    `told` is what jobs were told when they were last refused, by place. `gang` is the key of a job's gang or NEVER, and
    `gang_size` how many of its jobs must be placed together: those that have not ended, and those that lack.
    """

    forms: Sequence[Ask]
    form: Ints
    public_id: npt.NDArray[np.bytes_]
    pk: Ints
    version: Ints
    buyer: Ints
    start_after_s: Ints
    finish_by_s: Ints
    due_s: Ints
    submitted_s: Ints
    gang: Ints
    gang_size: Ints
    told: Mapping[int, dict[str, Any]]
    full: bool = False  # as many were read as were asked for: more may wait

    def __len__(self) -> int:
        return self.pk.size

    @cached_property
    def ids(self) -> list[str]:
        """The public ids as text."""
        return [each.decode() for each in self.public_id.tolist()]

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each job stands, by its public id."""
        return dict(zip(self.ids, range(len(self)), strict=True))

    def places(self, public_ids: Iterator[str]) -> Ints:
        """Where these jobs stand."""
        return np.fromiter(map(self.place.__getitem__, public_ids), dtype=np.int64)


def read_queue(*, segment: str, now: datetime, most: int) -> Queue:
    """Up to `most` jobs of `segment` whose turn has come, those due first. What equal jobs ask for is read once.

    The turn of one job of a gang is that of all who were told to look again later.
    """
    return queue_of_answer(ask_queue(segment=segment, now=now, most=most), most)


def ask_queue(*, segment: str, now: datetime, most: int) -> Answer:
    """The question of `read_queue`."""
    return ask(READ, [*Shard.named(segment), now, now, most, NEVER], prepare=False)  # few of many, or all


def queue_of_answer(asked: Answer, most: int) -> Queue:
    """Its answer."""
    with asked:
        [(content, ids, special)] = asked.fetchall()
    rows = np.frombuffer(content or b"", dtype=ROW)
    numbers = {name: rows[name]["value"].astype(np.int64) for name in NUMBERS}
    told, excluded = _specials(special, numbers)
    forms, form = _forms(rows["ask"]["value"].tolist(), numbers["pk"], excluded)
    return Queue(
        forms=forms, form=form, public_id=np.array(ids.split(",") if ids else [], dtype=np.bytes_),
        pk=numbers["pk"], version=numbers["version"], buyer=numbers["buyer"],
        start_after_s=_seconds(numbers["start_after"]), finish_by_s=_seconds(numbers["finish_by"]),
        due_s=_seconds(numbers["due"]), submitted_s=_seconds(numbers["submitted"]),
        gang=numbers["gang"], gang_size=numbers["gang_size"], told=told, full=rows.size == most,
    )  # fmt: skip


def _specials(
    content: str | None, numbers: Mapping[str, Ints]
) -> tuple[dict[int, dict[str, Any]], dict[int, tuple[str, ...]]]:
    """By place: what jobs were told, and the sites they are kept away from; few have either."""
    told, excluded = {}, {}
    found = json.loads(content) if content else {}
    for place in np.flatnonzero(numbers["special"]).tolist():
        why, sites = found[str(numbers["pk"][place])]
        if why is not None:
            told[place] = why
        if sites:
            excluded[place] = tuple(sites)
    return told, excluded


def _forms(digests: Sequence[bytes], pk: Ints, excluded: Mapping[int, tuple[str, ...]]) -> tuple[list[Ask], Ints]:
    """(the distinct forms, which of them each job has); asks that this process has not met are read."""
    firsts: dict[tuple[bytes, tuple[str, ...]], int] = {}
    keys = [(digest, excluded.get(place, ())) for place, digest in enumerate(digests)]
    form = np.array([firsts.setdefault(key, len(firsts)) for key in keys], dtype=np.int64)
    unknown = {digest: place for place, digest in enumerate(digests) if digest not in _known}
    if len(_known) + len(unknown) > MOST_KNOWN:
        _known.clear()
        unknown = {digest: place for place, digest in enumerate(digests)}
    if unknown:
        with connection.cursor() as cursor:
            cursor.execute(ASKS, [pk[list(unknown.values())].tolist()])
            asks = dict(cursor.fetchall())
        _known.update({digest: _form(json.loads(asks[pk[place]])) for digest, place in unknown.items()})
    known = [(_known[digest], sites) for digest, sites in firsts]
    return [replace(each, excluded_sites=sites) if sites else each for each, sites in known], form


def _form(stored: Mapping[str, Any]) -> Ask:
    return Ask(id="", **ask_fields(stored))


def queue_of(job: Job) -> Queue:
    """One waiting job as a queue, as its row is in this process."""

    def one(value: int) -> Ints:
        return np.array([value], dtype=np.int64)

    return Queue(
        forms=[replace(_form(job.ask), excluded_sites=tuple(job.excluded_sites))], form=one(0),
        public_id=np.array([job.public_id.encode()]), pk=one(job.pk), version=one(job.version),
        buyer=one(job.buyer_id), start_after_s=one(seconds(job.start_after) if job.start_after else NEVER),
        finish_by_s=one(seconds(job.finish_by) if job.finish_by else NEVER), due_s=one(seconds(job.due_at)),
        submitted_s=one(seconds(job.created_at)), gang=one(job.gang_id or NEVER), gang_size=one(1), told={},
    )  # fmt: skip


def _seconds(moments: Ints) -> Ints:
    """Unix seconds, rounded down."""
    return np.where(moments == ENDLESS, NEVER, moments // MICRO + EPOCH_S)


def asks_of(queue: Queue, *, overs: Mapping[int, int], p_mid: int, now: datetime) -> AskColumns:
    """The jobs as the core sees them.

    `overs` says how far each buyer (its key) is over its part, ppm; `p_mid` is that of the segment's reference.
    """
    shares = {buyer: share_mm(p_mid=p_mid, over=over) for buyer, over in overs.items()}
    waited_s = seconds(now) - np.maximum(queue.submitted_s, queue.start_after_s)
    return AskColumns(
        forms=queue.forms, form=queue.form, ids=queue.ids,
        own={
            "submitted_s": queue.submitted_s,
            "due_s": queue.due_s,
            "start_after_s": queue.start_after_s,
            "finish_by_s": queue.finish_by_s,
            "age_mm": age_mm(p_mid=p_mid, waited_s=waited_s),
            "share_mm": np.array([shares[buyer] for buyer in queue.buyer.tolist()], dtype=np.int64),
            "gang": queue.gang,
            "gang_size": queue.gang_size,
        },
    )  # fmt: skip
