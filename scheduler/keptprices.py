"""Hourly prices kept from one round to the next: the one door to `ShadowPriceDay`.

A round that proves a bound writes what its hours were worth. The next of its segment begins there; providers see it.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain, islice

from django.db import DatabaseError, connection, transaction

from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor
from marketplace.common.copying import numbers
from scheduler.core.types import Plan, Snapshot
from scheduler.models import MatchRound, ShadowPriceDay
from scheduler.shards import Shard

WRITE = """
    INSERT INTO scheduler_shadowpriceday (offer_id, day, prices, round_id, at)
    SELECT offer, day, prices::bigint[], %s, %s
    FROM unnest(%s::bigint[], %s::date[], %s::text[]) AS told(offer, day, prices)
    ON CONFLICT (offer_id, day) DO UPDATE SET prices = EXCLUDED.prices, round_id = EXCLUDED.round_id, at = EXCLUDED.at
"""
Hours = tuple[int, ...]
Rows = dict[int, dict[date, Hours]]  # by key of the offer
NOTHING: Hours = (0,) * HOURS_OF_DAY
log = logging.getLogger(__name__)
_kept: dict[tuple[str, str], tuple[int, Rows]] = {}  # with the key of the round that wrote last


def kept_prices(*, segment: str, offers: Sequence[Offer], now: datetime, hours: int) -> dict[str, Hours]:
    """The prices of `hours` from now by public id, mm per unit-hour, as `Snapshot.warm` wants them.

    The rows are read again only when another process may have written them since.
    """
    first, days = hour_floor(now), _days_from(now, hours)
    rows = _rows_of(segment, since=days[0])
    kept = {}
    for offer in offers:
        if offer.pk in rows:
            whole = chain.from_iterable(rows[offer.pk].get(day, NOTHING) for day in days)
            prices = without_end(tuple(islice(whole, first.hour, first.hour + hours)))
            if prices:
                kept[offer.public_id] = prices
    return kept


def keep_prices(*, round_: MatchRound, offers: Sequence[Offer], snapshot: Snapshot, plan: Plan) -> None:
    """Write what the hours of `offers` were worth in a committed round, whose segment is still held.

    Prices are where the next round begins, not a promise: what cannot be written is told, and only time is lost. Raises
    DatabaseError when the connection is lost, and with it the lock.
    """
    days = _days_from(round_.now, snapshot.hours)
    changed = list(_changes(round_.now, days, offers, snapshot.warm, plan.prices))
    key, session = _key(round_.shard.name), connection.connection
    try:
        _write(round_, changed)
    except DatabaseError as error:
        _kept.pop(key, None)
        if connection.connection is not session:
            raise  # the segment's lock went with it
        log.warning("%s: its hourly prices were not kept: %s", round_.public_id, error)
        return
    if key in _kept:
        rows = _kept[key][1]
        for offer, day, prices in changed:
            rows[offer] = {each: known for each, known in rows.get(offer, {}).items() if each >= days[0]}
            rows[offer][day] = prices
        _kept[key] = round_.pk, rows


def _write(round_: MatchRound, changed: Sequence[tuple[int, date, Hours]]) -> None:
    if not changed:
        return
    keys, days, prices = zip(*changed, strict=True)
    with transaction.atomic(), connection.cursor() as cursor:
        told = list(map(numbers, prices))
        cursor.execute(WRITE, [round_.pk, round_.now, numbers(keys), [day.isoformat() for day in days], told])


def forget_past_prices(*, now: datetime) -> int:
    """Delete the prices of days that are over; how many rows."""
    count, _ = ShadowPriceDay.objects.filter(day__lt=now.date()).delete()
    return count


def _changes(
    now: datetime,
    days: Sequence[date],
    offers: Sequence[Offer],
    before: Mapping[str, Hours],
    after: Mapping[str, Hours],
) -> Iterator[tuple[int, date, Hours]]:
    """(offer, day, prices) of every day whose prices from now on are others; hours gone by have none."""
    gone: Hours = (0,) * hour_floor(now).hour
    rest: Hours = (0,) * HOURS_OF_DAY * len(days)
    for offer in offers:
        was, worth = before.get(offer.public_id, ()), after.get(offer.public_id, ())
        if was == worth:
            continue
        for place, day in enumerate(days):
            hours = slice(place * HOURS_OF_DAY, (place + 1) * HOURS_OF_DAY)
            told = (gone + worth + rest)[hours]
            if told != (gone + was + rest)[hours]:
                yield offer.pk, day, told


def _days_from(now: datetime, hours: int) -> list[date]:
    """The UTC days that `hours` from now touch."""
    count = -(-(hour_floor(now).hour + hours) // HOURS_OF_DAY)
    return [now.date() + timedelta(days=n) for n in range(count)]


def _rows_of(segment: str, since: date) -> Rows:
    """The rows that rounds of the segment wrote, those of past days left out."""
    mark, known = last_priced(segment) or 0, _kept.get(_key(segment))
    if known is None or known[0] != mark:
        known = _kept[_key(segment)] = mark, _read(segment, since) if mark else {}
    return known[1]


def _key(segment: str) -> tuple[str, str]:
    return str(connection.settings_dict["NAME"]), segment


def last_priced(segment: str) -> int | None:
    """The key of the segment's newest round that priced hours."""
    shard = Shard.named(segment)
    rounds = MatchRound.objects.filter(segment=shard.family, region_group=shard.group)
    priced = rounds.filter(bound__isnull=False).order_by("-pk")
    return priced.values_list("pk", flat=True).first()


def _read(segment: str, since: date) -> Rows:
    shard = Shard.named(segment)
    rows = ShadowPriceDay.objects.filter(round__segment=shard.family, round__region_group=shard.group)
    found: Rows = defaultdict(dict)
    for offer, day, prices in rows.filter(day__gte=since).order_by().values_list("offer_id", "day", "prices"):
        found[offer][day] = tuple(prices)
    return dict(found)


def without_end(prices: Hours) -> Hours:
    """`prices` without the zeros at the end."""
    beyond = len(prices)
    while beyond and not prices[beyond - 1]:
        beyond -= 1
    return prices[:beyond]
