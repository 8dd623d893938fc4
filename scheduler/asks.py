"""Rows → asks: what the core needs to know of a job or a quote request, in integers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from scheduler.core.asks import NEVER, AskColumns
from scheduler.core.fairness import age_mm, share_mm
from scheduler.core.types import Ask, LimitValue, Rates
from scheduler.models import Job
from scheduler.shards import Shard

Ints = npt.NDArray[np.int64]
COLUMNS = ("place", "pk", "version", "buyer", "start_after", "finish_by", "due", "submitted", "gang", "gang_size")
EPOCH_S, MICRO = 946_684_800, 10**6  # PostgreSQL counts microseconds from 2000
READ = """
    WITH turn AS (
        SELECT row_number() OVER (ORDER BY due_at, id) - 1 AS place, id, public_id, version, buyer_id, ask,
               excluded_sites, unplaced, start_after, finish_by, due_at, created_at, gang_id, CASE
                   WHEN gang_id IS NULL THEN 1 ELSE (
                       SELECT greatest(gang.size - count(*), 0) + count(*) FILTER (WHERE other.finished_at IS NULL)
                       FROM scheduler_job AS other JOIN scheduler_gang AS gang ON gang.id = other.gang_id
                       WHERE gang.id = job.gang_id GROUP BY gang.size
                   ) END AS gang_size
        FROM scheduler_job AS job
        WHERE state = 'queued' AND segment = %s AND region_group = %s AND (
            next_attempt_at <= %s OR unplaced IS NOT NULL AND gang_id IN (
                SELECT gang_id FROM scheduler_job
                WHERE gang_id IS NOT NULL AND state = 'queued' AND next_attempt_at <= %s
            )
        )
        ORDER BY due_at, id LIMIT %s
    )
    SELECT ask::text, array_to_json(excluded_sites)::text,
           string_agg(int8send(place) || int8send(id) || int8send(version) || int8send(buyer_id)
                      || coalesce(timestamptz_send(start_after), int8send(%s))
                      || coalesce(timestamptz_send(finish_by), int8send(%s))
                      || timestamptz_send(due_at) || timestamptz_send(created_at)
                      || int8send(coalesce(gang_id, %s)) || int8send(gang_size), ''),
           string_agg(public_id, ','),
           (jsonb_object_agg(place, unplaced) FILTER (WHERE unplaced IS NOT NULL))::text
    FROM turn GROUP BY ask, excluded_sites
"""


@dataclass(frozen=True)
class Form:
    """What equal jobs ask for: the stored ask in the core's types, and the sites they are kept away from."""

    stated: Mapping[str, Any]
    excluded_sites: tuple[str, ...]


@dataclass(frozen=True)
class Queue:
    """Waiting jobs as columns, those due first. `form` is an index into `forms`; times in unix seconds, NEVER is none.

    `told` is what jobs were told when they were last refused, by place. `gang` is the key of a job's gang or NEVER, and
    `gang_size` how many of its jobs must be placed together: those that have not ended, and those that lack.
    """

    forms: Sequence[Form]
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
    with connection.cursor() as cursor:
        cursor.execute(READ, [*Shard.named(segment), now, now, most, NEVER, NEVER, NEVER])
        groups = cursor.fetchall()
    content = b"".join(rows for _, _, rows, _, _ in groups)
    found = np.frombuffer(content, dtype=">i8").reshape(-1, len(COLUMNS)).astype(np.int64)
    sizes = [len(rows) // (8 * len(COLUMNS)) for _, _, rows, _, _ in groups]
    ids = ",".join(ids for _, _, _, ids, _ in groups).split(",") if groups else []
    order = np.argsort(found[:, 0])
    columns = dict(zip(COLUMNS, found[order].T, strict=True))
    return Queue(
        forms=[Form(ask_fields(json.loads(ask)), tuple(json.loads(sites))) for ask, sites, *_ in groups],
        form=np.repeat(np.arange(len(groups)), sizes)[order],
        public_id=np.array(ids, dtype=np.bytes_)[order],
        pk=columns["pk"], version=columns["version"], buyer=columns["buyer"],
        start_after_s=_seconds(columns["start_after"]), finish_by_s=_seconds(columns["finish_by"]),
        due_s=_seconds(columns["due"]), submitted_s=_seconds(columns["submitted"]),
        gang=columns["gang"], gang_size=columns["gang_size"],
        told={int(place): why for *_, told in groups if told for place, why in json.loads(told).items()},
    )  # fmt: skip


def queue_of(job: Job) -> Queue:
    """One waiting job as a queue, as its row is in this process."""

    def one(value: int) -> Ints:
        return np.array([value], dtype=np.int64)

    return Queue(
        forms=[Form(ask_fields(job.ask), tuple(job.excluded_sites))], form=one(0),
        public_id=np.array([job.public_id.encode()]), pk=one(job.pk), version=one(job.version),
        buyer=one(job.buyer_id), start_after_s=one(seconds(job.start_after) if job.start_after else NEVER),
        finish_by_s=one(seconds(job.finish_by) if job.finish_by else NEVER), due_s=one(seconds(job.due_at)),
        submitted_s=one(seconds(job.created_at)), gang=one(job.gang_id or NEVER), gang_size=one(1), told={},
    )  # fmt: skip


def _seconds(moments: Ints) -> Ints:
    """Unix seconds, rounded down."""
    return np.where(moments == NEVER, NEVER, moments // MICRO + EPOCH_S)


def asks_of(queue: Queue, *, overs: Mapping[int, int], p_mid: int, now: datetime) -> AskColumns:
    """The jobs as the core sees them.

    `overs` says how far each buyer (its key) is over its part, ppm; `p_mid` is that of the segment's reference.
    """
    shares = {buyer: share_mm(p_mid=p_mid, over=over) for buyer, over in overs.items()}
    waited_s = seconds(now) - np.maximum(queue.submitted_s, queue.start_after_s)
    return AskColumns(
        forms=[Ask(id="", excluded_sites=form.excluded_sites, **form.stated) for form in queue.forms],
        form=queue.form, ids=queue.ids,
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


def ask_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an ask that is stored as JSON, back in the core's types."""
    rates = stored.get("rates")
    return {
        "units": stored["units"],
        "run_s": stored["run_s"],
        "weights": tuple(stored["weights"]),
        "rates": Rates(**rates) if rates else None,
        "when": stored["when"],
        "near": stored["near"],
        "limits": frozen_limits(stored["limits"]),
        "reference_pf_milli": stored.get("reference_pf_milli"),
        "time_limit_by_class": stored.get("time_limit_by_class", {}),
    }


def frozen_limits(limits: Mapping[str, Any]) -> dict[str, LimitValue]:
    """JSON lists become tuples; the rest stays."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in limits.items()}


def seconds(moment: datetime) -> int:
    """Unix seconds, rounded down."""
    return int(moment.timestamp())


def moment(unix_seconds: int) -> datetime:
    """The aware UTC time of unix seconds."""
    return datetime.fromtimestamp(unix_seconds, UTC)
