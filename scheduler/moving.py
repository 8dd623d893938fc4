"""Jobs on their way through the shards of their family: the one door to where a waiting job looks next.

A refusal sends a job on; when all groups have looked it is told the reason and waits. Rows are locked by their key, and
one that is locked already is left alone: rounds lock their jobs before hours.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from marketplace.common.copying import numbers
from scheduler.core.types import Unplaced
from scheduler.explaining import refusal_as_json
from scheduler.hints import wake
from scheduler.shards import FAMILIES, Shard, Trip, groups

LOOK_AGAIN = timedelta(seconds=15)  # a waiting job looks again; units given back bring it forward
READ = """
    SELECT job.id, job.trip::text, cardinality(job.excluded_sites) > 0
    FROM unnest(%s::bigint[], %s::int[]) AS seen(id, version) JOIN scheduler_job AS job ON job.id = seen.id
    WHERE job.state = 'queued' AND job.version = seen.version AND job.region_group = %s AND job.next_attempt_at <= %s
"""
LOCK = READ + "ORDER BY job.id FOR UPDATE OF job SKIP LOCKED"
WRITE = """
    UPDATE scheduler_job AS job
    SET region_group = moved.onward, trip = moved.trip::jsonb, next_attempt_at = moved.turn,
        unplaced = coalesce(moved.told::jsonb, job.unplaced),
        excluded_sites = CASE WHEN moved.forgiven THEN '{}' ELSE job.excluded_sites END
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::boolean[])
         AS moved(id, onward, trip, turn, told, forgiven)
    WHERE job.id = moved.id
"""
# Who sleeps comes here alone; who is on its way elsewhere comes by again.
CALL = """
    UPDATE scheduler_job AS job
    SET region_group = CASE WHEN asleep THEN %(here)s ELSE region_group END,
        next_attempt_at = CASE WHEN asleep OR region_group = %(here)s THEN %(now)s ELSE next_attempt_at END,
        trip = jsonb_set(trip, '{looked}', (trip -> CASE WHEN asleep THEN 'groups' ELSE 'looked' END) - %(here)s)
    FROM (
        SELECT id, next_attempt_at > %(now)s AS asleep
        FROM scheduler_job AS waiting JOIN scheduler_queueentry AS entry ON entry.job_id = waiting.id
        WHERE waiting.state = 'queued' AND entry.segment = %(family)s AND trip IS NOT NULL
          AND (unplaced IS NOT NULL OR trip -> 'looked' @> to_jsonb(%(here)s::text))
        ORDER BY id FOR UPDATE OF waiting SKIP LOCKED
    ) AS called WHERE job.id = called.id
"""
ADOPT = """
    UPDATE scheduler_job SET region_group = %(first)s, trip = NULL WHERE id IN (
        SELECT id FROM scheduler_job AS waiting JOIN scheduler_queueentry AS entry ON entry.job_id = waiting.id
        WHERE waiting.state = 'queued' AND entry.segment = %(family)s AND entry.region_group <> ALL(%(groups)s)
        ORDER BY id FOR UPDATE OF waiting SKIP LOCKED)
"""

# The jobs of a gang look in the same group; where some were locked when the others moved on, they follow.
GATHER = """
    UPDATE scheduler_job AS job SET region_group = ahead.region_group, trip = ahead.trip
    FROM (
        SELECT DISTINCT ON (gang_id) gang_id, first.region_group, trip
        FROM scheduler_job AS first JOIN scheduler_gang AS gang ON gang.id = first.gang_id
        WHERE gang.ended_at IS NULL AND first.state = 'queued' ORDER BY gang_id, first.id
    ) AS ahead
    WHERE job.id IN (
        SELECT waiting.id FROM scheduler_job AS waiting JOIN scheduler_gang AS gang ON gang.id = waiting.gang_id
        WHERE gang.ended_at IS NULL AND waiting.state = 'queued'
        ORDER BY waiting.id FOR UPDATE OF waiting SKIP LOCKED
    ) AND job.gang_id = ahead.gang_id AND job.region_group <> ahead.region_group
"""


class Refused(NamedTuple):
    """A job, as the round saw it, and why it was refused."""

    key: int
    version: int
    why: Unplaced


class Step(NamedTuple):
    """What a refused job does next; `told` is None while groups are left that have not looked."""

    onward: str
    trip: Trip
    turn: datetime
    told: Mapping[str, Any] | None
    forgiven: bool


def step(trip: Trip, here: str, refusal: Mapping[str, Any], *, excluded: bool, now: datetime) -> Step:
    """On to the next group; when all have looked, the reason and a later turn.

    Sites that the job was kept away from are allowed again when nothing else fits anywhere.
    """
    trip = trip.after(here, refusal)
    if trip.next is not None:
        return Step(trip.next, trip, now, None, forgiven=False)
    told = trip.summary()
    forgiven = excluded and told["code"] in {"no_offer_fits", "never_fits"}
    return Step(trip.groups[0], trip.over(), now if forgiven else now + LOOK_AGAIN, told, forgiven)


def said_before(*, shard: Shard, refused: Sequence[Refused], now: datetime) -> bool:
    """Whether `shard` told each of the jobs the very same when it looked the last time."""
    with connection.cursor() as cursor:
        found = _read(cursor, READ, shard, refused, now)
    said = {each.key: refusal_as_json(each.why) for each in refused}
    return all(trip.heard.get(shard.group) == said[key] and not excluded for key, trip, excluded in found)


@transaction.atomic
def move_on(*, shard: Shard, refused: Sequence[Refused], now: datetime) -> None:
    """Send the refused jobs on from `shard`.

    A job that changed, that somebody else has locked or that was called meanwhile stays where it is.
    """
    said = {each.key: refusal_as_json(each.why) for each in refused}
    with connection.cursor() as cursor:
        found = _read(cursor, LOCK, shard, refused, now)
        steps = [step(trip, shard.group, said[key], excluded=excluded, now=now) for key, trip, excluded in found]
        _write(cursor, [key for key, _, _ in found], steps)
    for group in sorted({each.onward for each in steps if each.turn <= now}):
        wake(Shard(shard.family, group).name)


def _read(
    cursor: Any, statement: str, shard: Shard, refused: Sequence[Refused], now: datetime
) -> list[tuple[int, Trip, bool]]:
    """(key, trip, whether it is kept away from sites) of the jobs that are still as the round saw them."""
    seen = numbers(each.key for each in refused), numbers(each.version for each in refused)
    cursor.execute(statement, [*seen, shard.group, now])
    return [(key, Trip.from_json(json.loads(trip) if trip else None), kept) for key, trip, kept in cursor.fetchall()]


def _write(cursor: Any, keys: Sequence[int], steps: Sequence[Step]) -> None:
    if not steps:
        return
    told = [None if each.told is None else json.dumps(each.told) for each in steps]
    trips = [json.dumps(each.trip.as_json()) for each in steps]
    columns = [each.onward for each in steps], trips, [each.turn for each in steps], told
    cursor.execute(WRITE, [list(keys), *columns, [each.forgiven for each in steps]])


def call(*, shard: Shard, now: datetime) -> None:
    """Units are free in `shard`: every job that looked there since the last news looks there again."""
    with connection.cursor() as cursor:
        cursor.execute(CALL, {"here": shard.group, "family": shard.family, "now": now})
        if cursor.rowcount:
            wake(shard.name)


def adopt(*, now: datetime) -> None:
    """Jobs that wait in a group this market does not have any more, or has since, begin with the first."""
    for family in FAMILIES:
        with connection.cursor() as cursor:
            cursor.execute(ADOPT, {"family": family, "groups": groups(), "first": groups()[0]})


def gather() -> None:
    """Bring the waiting jobs of each gang together where its first looks."""
    with connection.cursor() as cursor:
        cursor.execute(GATHER)
