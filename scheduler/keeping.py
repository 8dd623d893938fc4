"""What a worker keeps of a segment's shelf between two rounds, and how it knows that it is still true.

Offers rarely change and their facts are dear to make; of their hours, those that changed are read in every round
(`marketplace.booking.capacity`). The mark of a shelf is taken from the place and the writer (ctid, xmin) of every row
it was made of: any change of any of them moves it, whoever wrote it and however.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import connection

from marketplace.common.clock import hour_floor
from marketplace.energy.services import hours_of
from scheduler.leases import served_sites
from scheduler.shards import Shard
from scheduler.snapshot import HORIZON_HOURS, Reading, Shelf, read_all

MARK = """
    SELECT md5(string_agg(concat_ws(' ', offer.ctid, offer.xmin, site.ctid, site.xmin, provider.ctid, provider.xmin,
                                    zone.ctid, zone.xmin, hardware.ctid, hardware.xmin), ',' ORDER BY offer.id))
    FROM catalog_offer AS offer
    JOIN catalog_site AS site ON site.id = offer.site_id
    JOIN accounts_organization AS provider ON provider.id = site.provider_id
    JOIN energy_gridzone AS zone ON zone.id = site.zone_id
    JOIN catalog_hardwareclass AS hardware ON hardware.id = offer.hardware_id
    WHERE offer.state = 'live' AND hardware.family = %s AND (site.country = ANY(%s)) = %s
    UNION ALL
    SELECT md5(string_agg(concat_ws(' ', latency.ctid, latency.xmin, place.ctid, place.xmin), ',' ORDER BY latency.id))
    FROM catalog_latency AS latency JOIN catalog_place AS place ON place.id = latency.place_id
"""
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
    reading = _again(known.reading, now, hours) if known is not None and known.mark == mark else None
    if reading is None:
        reading = read_all(now=now, of=Shard.named(segment).offers(), hours=hours)
    _kept[key] = Kept(mark, reading)
    return reading.shelf


def _mark(segment: str, now: datetime) -> Mark:
    with connection.cursor() as cursor:
        shard = Shard.named(segment)
        cursor.execute(MARK, [shard.family, *shard.sites()])
        return (hour_floor(now), settings.FEE_BP, settings.TAX_BP, *cursor.fetchall())


def _again(last: Reading, now: datetime, hours: int) -> Reading | None:
    """The last reading with the units of today; None when more than units has changed."""
    window = hours_of(zones=last.zones, start=hour_floor(now), hours=hours, now=now)
    served = served_sites(now)
    if window is not last.window or served != last.served:
        return None
    facts = list(last.shelf.facts)
    touched = last.units.read_again()
    total, promised = last.units.total[touched], last.units.promised[touched]
    for place, existing, free in zip(touched, total.tolist(), (total - promised).tolist(), strict=True):
        if (free, existing) != (list(facts[place].free), list(facts[place].units_total)):
            facts[place] = replace(facts[place], free=tuple(free), units_total=tuple(existing))
    return replace(last, shelf=last.shelf.with_facts(tuple(facts)))
