"""An attempt's log: bytes appended by offset, so that a repeat changes nothing and a gap is sent again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.models import ApiKey
from marketplace.common.errors import TooLarge
from marketplace.events.hints import publish
from scheduler.leases import hold
from scheduler.models import Attempt, Job, LogChunk

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogPart:
    """Text of bytes [offset, next_offset) of one attempt's log."""

    attempt: str
    number: int
    offset: int
    next_offset: int
    text: str
    at: datetime


@transaction.atomic
def append_log(*, public_id: str, key: ApiKey, epoch: int, offset: int, data: bytes, now: datetime) -> tuple[int, bool]:
    """Append `data` at `offset`; (the offset to send next, whether the job's log is full).

    Bytes already stored are taken as sent, a gap writes nothing. Raises LeaseFenced, TooLarge over 64 KB.
    """
    if len(data) > CHUNK_BYTES:
        raise TooLarge(f"a chunk holds at most {CHUNK_BYTES} bytes", bytes=len(data))
    attempt = hold(public_id, epoch, key).attempt
    have = attempt.log_bytes
    fresh = data[max(0, have - offset) :]
    if offset > have or not fresh:
        return have, have >= settings.LOG_QUOTA_BYTES
    kept = fresh[: max(0, settings.LOG_QUOTA_BYTES - have)]
    if not kept:
        return have, True
    end = have + len(kept)
    if Attempt.objects.filter(pk=attempt.pk, log_bytes=have).update(log_bytes=end) != 1:
        return Attempt.objects.values_list("log_bytes", flat=True).get(pk=attempt.pk), False
    LogChunk.objects.create(attempt=attempt, offset=have, data=kept, at=now)
    transaction.on_commit(lambda: publish(attempt.job.public_id, "log"))
    return end, end >= settings.LOG_QUOTA_BYTES


def read_log(job: Job, *, number: int = 0, offset: int = 0, limit: int = 1000) -> Iterator[LogPart]:
    """Parts of the job's log after byte `offset` of attempt `number` (0: from the beginning), oldest first.

    A character cut by a chunk's end is carried into the next part, so the parts join to the whole text.
    """
    unseen = Q(attempt__number__gt=number) | Q(attempt__number=number, offset__gt=offset - CHUNK_BYTES)
    chunks = (
        LogChunk.objects.filter(unseen, attempt__job=job)
        .select_related("attempt")
        .order_by("attempt__number", "offset")
    )
    carried, last = b"", 0
    for chunk in chunks[:limit].iterator():
        start = offset if chunk.attempt.number == number else 0
        end = chunk.offset + len(chunk.data)
        if end <= start:
            continue
        if chunk.attempt.number != last:
            carried, last = b"", chunk.attempt.number
        skipped = max(0, start - chunk.offset)
        raw = carried + bytes(chunk.data)[skipped:]
        begin = chunk.offset + skipped - len(carried)
        whole = _whole_characters(raw)
        carried = raw[whole:]
        if whole == 0:
            continue
        yield LogPart(
            attempt=chunk.attempt.public_id, number=chunk.attempt.number, offset=begin, next_offset=begin + whole,
            text=raw[:whole].decode("utf-8", "replace"), at=chunk.at,
        )  # fmt: skip


def _whole_characters(raw: bytes) -> int:
    """How many bytes of `raw` do not belong to a character cut at its end."""
    for back in range(1, min(4, len(raw)) + 1):
        byte = raw[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >= 0xC0 else 1
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else needed
        return len(raw) - back if needed > back else len(raw)
    return len(raw)
