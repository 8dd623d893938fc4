"""What plants made can be claimed once: certificates and on-site records of an hour share its `claimed_wh`.

Locks: hours of generation in the order of their keys.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from marketplace.energy.models import GenerationHour, GenerationQuality

CLAIM = """
    UPDATE energy_generationhour AS hour SET claimed_wh = hour.claimed_wh + given.wh
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[]) AS given(source_id, start, wh)
    WHERE hour.source_id = given.source_id AND hour.start = given.start AND hour.quality = %s
      AND hour.claimed_wh + given.wh <= hour.wh
    RETURNING hour.source_id, hour.start
"""


class SourceHour(NamedTuple):
    """An hour of a source (by key)."""

    source: int
    start: datetime


def free_wh(hours: Mapping[SourceHour, int]) -> dict[SourceHour, int]:
    """How many Wh of each hour nobody has claimed; the hours are locked. One that no meter measured has none."""
    rows = GenerationHour.objects.filter(
        source__in={hour.source for hour in hours}, start__in={hour.start for hour in hours},
        quality=GenerationQuality.METERED,
    ).select_for_update(of=("self",)).order_by("pk")  # fmt: skip
    there = {SourceHour(row.source_id, row.start): row.wh - row.claimed_wh for row in rows}
    return {hour: there.get(hour, 0) for hour in hours}


def claim(claims: Mapping[SourceHour, int]) -> set[SourceHour]:
    """Claim so many Wh of each hour, or nothing of it where fewer are free; the hours that had too few."""
    if not claims:
        return set()
    free_wh(claims)  # locks in order
    return set(claims) - _write(claims)


def give_back(claims: Mapping[SourceHour, int]) -> None:
    """Let so many Wh of each hour be claimed again."""
    if claims:
        free_wh(claims)
        _write({hour: -wh for hour, wh in claims.items()})


def _write(claims: Mapping[SourceHour, int]) -> set[SourceHour]:
    sources, starts = [hour.source for hour in claims], [hour.start for hour in claims]
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [sources, starts, list(claims.values()), GenerationQuality.METERED])
        return {SourceHour(source, start) for source, start in cursor.fetchall()}
