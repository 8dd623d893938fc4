"""Rows → asks: what the core needs to know of a job or a quote request, in integers."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Func, TextField
from django.db.models.functions import Cast

from scheduler.core.fairness import age_mm, share_mm
from scheduler.core.types import Ask, LimitValue, Rates
from scheduler.models import Job

QUEUED = ("pk", "public_id", "version", "buyer_id", "ask_text", "excluded_sites", "unplaced")
TIMES = {"start_after_s": "start_after", "finish_by_s": "finish_by", "due_s": "due_at", "submitted_s": "created_at"}


class UnixSeconds(Func):
    """A moment as unix seconds, rounded down: a number is read ten times as fast as a moment."""

    template = "floor(extract(epoch FROM %(expressions)s))::bigint"
    output_field = BigIntegerField()


class QueuedJob(NamedTuple):
    """A waiting job as a round reads it; `ask_text` is its ask as JSON."""

    pk: int
    public_id: str
    version: int
    buyer_id: int
    ask_text: str
    excluded_sites: list[str]
    unplaced: dict[str, Any] | None
    start_after_s: int | None
    finish_by_s: int | None
    due_s: int
    submitted_s: int


def read_queue(*, segment: str, now: datetime, most: int) -> list[QueuedJob]:
    """Up to `most` jobs of `segment` whose turn has come, those due first."""
    times = {name: UnixSeconds(field) for name, field in TIMES.items()}
    queue = Job.objects.queue(segment, now).annotate(ask_text=Cast("ask", TextField()), **times)
    return list(map(QueuedJob._make, queue.values_list(*QUEUED, *TIMES)[:most]))


def asks_of(jobs: Iterable[QueuedJob], *, overs: Mapping[int, int], p_mid: int, now: datetime) -> list[Ask]:
    """The jobs as the core sees them; equal asks are read once and share what they state.

    `overs` says how far each buyer (its key) is over its part, ppm; `p_mid` is that of the segment's reference.
    """
    stated: dict[str, dict[str, Any]] = {}
    shares = {buyer: share_mm(p_mid=p_mid, over=over) for buyer, over in overs.items()}
    now_s = seconds(now)
    asks = []
    for job in jobs:
        if job.ask_text not in stated:
            stated[job.ask_text] = ask_fields(json.loads(job.ask_text))
        asks.append(
            Ask(
                id=job.public_id,
                submitted_s=job.submitted_s,
                due_s=job.due_s,
                excluded_sites=tuple(job.excluded_sites),
                start_after_s=job.start_after_s,
                finish_by_s=job.finish_by_s,
                age_mm=age_mm(p_mid=p_mid, waited_s=now_s - max(job.submitted_s, job.start_after_s or 0)),
                share_mm=shares[job.buyer_id],
                **stated[job.ask_text],
            )
        )
    return asks


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
