"""What a worker keeps of a segment's shelf between two rounds, and how it knows that it is still true.

Offers rarely change and their facts are dear to make; of their hours, those that changed are read in every round
(`marketplace.booking.capacity`). The mark of a shelf sums hashes of 64 bits of the place and the writer (ctid, xmin) of
every row it was made of: any change of any of them moves it, whoever wrote it and however. Grid hours are only added:
the newest tells of them.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import connection

from marketplace.common.clock import hour_floor
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
    SELECT count(*), string_agg(public_id, ',' ORDER BY public_id) FROM ({SERVED}) AS served
"""  # noqa: S608 - a question of another module, with its parameter
Mark = tuple[object, ...]
_kept: dict[tuple[str, str, int], "Kept"] = {}


@dataclass(frozen=True)
class Kept:
    """The last reading of a segment and its mark."""

    mark: Mark
    reading: Reading


def kept_shelf(*, segment: str, now: datetime, hours: int = HORIZON_HOURS) -> Shelf:
    """What `read_shelf` reads of the segment; facts that are as they were are the very same objects as last time."""
    key = (str(connection.settings_dict["NAME"]), segment, hours)
    mark = _mark(segment, now)
    known = _kept.pop(key, None)  # so that whatever fails from here on has everything read again
    if known is not None and known.mark == mark:
        reading = _again(known.reading)
    else:
        reading = read_all(now=now, of=Shard.named(segment).offers(), hours=hours)
    _kept[key] = Kept(mark, reading)
    return reading.shelf


def _mark(segment: str, now: datetime) -> Mark:
    with connection.cursor() as cursor:
        shard = Shard.named(segment)
        cursor.execute(MARK, [shard.family, *shard.sites(), silent_since(now)])
        return (hour_floor(now), settings.FEE_BP, settings.TAX_BP, *cursor.fetchall())


def _again(last: Reading) -> Reading:
    """The last reading with the units of today."""
    facts = list(last.shelf.facts)
    touched = last.units.read_again()
    total, promised = last.units.total[touched], last.units.promised[touched]
    for place, existing, free in zip(touched, total.tolist(), (total - promised).tolist(), strict=True):
        if (free, existing) != (list(facts[place].free), list(facts[place].units_total)):
            facts[place] = replace(facts[place], free=tuple(free), units_total=tuple(existing))
    return replace(last, shelf=last.shelf.with_facts(tuple(facts)))
