"""What a worker keeps of a segment's shelf between two rounds, and how it knows that it is still true.

Offers rarely change and their facts are dear to make; of their hours, those that changed are read in every round
(`marketplace.booking.capacity`). The mark of a shelf sums hashes of 64 bits of the place and the writer (ctid, xmin) of
every row it was made of: any change of any of them moves it, whoever wrote it and however. Grid hours are only added:
the newest tells of them. What plants supply has its own mark (`supplyhours`), and is set against all that its point has
on sale, in every family.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import connection

from marketplace.common.clock import hour_floor
from marketplace.common.sending import Answer, ask
from marketplace.energy.supplyhours import MARK as SUPPLY
from scheduler.leases import SERVED, silent_since
from scheduler.shards import Shard
from scheduler.snapshot import HORIZON_HOURS, Reading, Shelf, read_all

MARK = f"""
    SELECT count(*), sum(hashtidextended(offer.ctid, offer.xmin::text::bigint))::text FROM catalog_offer AS offer
    JOIN catalog_site AS site ON site.id = offer.site_id
    JOIN catalog_hardwareclass AS hardware ON hardware.id = offer.hardware_id
    WHERE offer.state = 'live' AND hardware.family = %s AND (site.country = ANY(%s)) = %s
    UNION ALL
    SELECT count(*), sum(hashtidextended(site.ctid, site.xmin::text::bigint)
                         + hashtidextended(provider.ctid, provider.xmin::text::bigint)::numeric
                         + hashtidextended(zone.ctid, zone.xmin::text::bigint))::text
    FROM catalog_site AS site
    JOIN accounts_organization AS provider ON provider.id = site.provider_id
    JOIN energy_gridzone AS zone ON zone.id = site.zone_id
    UNION ALL
    SELECT count(*), sum(hashtidextended(ctid, xmin::text::bigint))::text FROM catalog_hardwareclass
    UNION ALL
    SELECT count(*), sum(hashtidextended(ctid, xmin::text::bigint))::text FROM catalog_latency
    UNION ALL
    SELECT count(*), sum(hashtidextended(ctid, xmin::text::bigint))::text FROM catalog_place
    UNION ALL
    SELECT max(id), '' FROM energy_gridhour
    UNION ALL
    {SUPPLY}
    UNION ALL
    SELECT count(*), sum(hashtidextended(offer.ctid, offer.xmin::text::bigint))::text FROM catalog_offer AS offer
    JOIN catalog_site AS site ON site.id = offer.site_id
    WHERE offer.state = 'live' AND site.point_id IN (SELECT point_id FROM energy_sourceshare)
    UNION ALL
    SELECT count(*), string_agg(public_id, ',' ORDER BY public_id) FROM ({SERVED}) AS served
"""  # noqa: S608 - questions of other modules, with their parameters
Mark = tuple[object, ...]
_kept: dict[tuple[str, str, int], "Kept"] = {}


@dataclass(frozen=True)
class Kept:
    """The last reading of a segment and its mark."""

    mark: Mark
    reading: Reading


@dataclass(frozen=True)
class Asked:
    """What was asked about a shelf: its mark, and which units have changed since the last reading, if there is one."""

    key: tuple[str, str, int]  # database, segment, hours
    now: datetime
    mark: Answer
    known: Kept | None
    changes: Answer | None


def kept_shelf(*, segment: str, now: datetime, hours: int = HORIZON_HOURS) -> Shelf:
    """What `read_shelf` reads of the segment; facts that are as they were are the very same objects as last time."""
    return shelf_of(ask_shelf(segment=segment, now=now, hours=hours))


def ask_mark(*, segment: str, now: datetime) -> Answer:
    """The question whether the shelf of a segment is as it was."""
    shard = Shard.named(segment)
    return ask(MARK, [shard.family, *shard.sites(), hour_floor(now), silent_since(now)])


def ask_shelf(*, segment: str, now: datetime, hours: int = HORIZON_HOURS, mark: Answer | None = None) -> Asked:
    """The questions of `kept_shelf`, but for its `mark` where that was asked for a moment ago; what was kept is gone
    unless `shelf_of` reads the answers.
    """
    mark = mark or ask_mark(segment=segment, now=now)
    key = (str(connection.settings_dict["NAME"]), segment, hours)
    known = _kept.pop(key, None)  # so that whatever fails from here on has everything read again
    return Asked(key, now, mark, known, known.reading.units.ask_again() if known else None)


def shelf_of(asked: Asked) -> Shelf:
    """The answers."""
    (_, segment, hours), now, known = asked.key, asked.now, asked.known
    with asked.mark:
        mark = (hour_floor(now), settings.ADDED_FEE_BP, settings.TAX_BP, *asked.mark.fetchall())
    if known is not None and known.mark == mark:
        reading = _again(known.reading, asked.changes)
    else:
        reading = read_all(now=now, of=Shard.named(segment).offers(), hours=hours)
    _kept[asked.key] = Kept(mark, reading)
    return reading.shelf


def _again(last: Reading, changes: Answer | None) -> Reading:
    """The last reading with the units of today."""
    facts = list(last.shelf.facts)
    touched = last.units.take_over(changes)
    total, promised = last.units.total[touched], last.units.promised[touched]
    for place, existing, free in zip(touched, total.tolist(), (total - promised).tolist(), strict=True):
        if (free, existing) != (list(facts[place].free), list(facts[place].units_total)):
            facts[place] = replace(facts[place], free=tuple(free), units_total=tuple(existing))
    return replace(last, shelf=last.shelf.with_facts(tuple(facts)))
