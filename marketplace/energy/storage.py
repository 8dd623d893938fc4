"""Stores: certified energy goes in, and what comes out later is certified by what went in.

Charging moves Wh of an hour to `stored`, where they stay. A discharge is an issuance of its own: it draws stored Wh,
oldest charge first, from hours before its own, and gives no more than the store's efficiency leaves of them. A draw is
for good: a discharge that is told late takes what the others have left. Energy that nobody certified gives none.

Locks: the store, then lots by key, then hours of generation.
"""

from datetime import datetime

from django.db import transaction

from marketplace.common.clock import HOUR
from marketplace.common.errors import IllegalState
from marketplace.common.units import PPM, ceil_div
from marketplace.energy.claiming import SourceHour, claim
from marketplace.energy.errors import StorageExceedsInput
from marketplace.energy.generation import REGISTRY, Slice, keep_promises
from marketplace.energy.issuing import NewIssuance, NewLot, write_issuances, write_lots
from marketplace.energy.models import (
    CertificateLot,
    EnergySource,
    Issuance,
    MeterPoint,
    Release,
    Resolution,
    Scheme,
    SourceKind,
    SourceShare,
    StorageDraw,
    SupplyEntry,
)
from marketplace.energy.supply import Move, Piece, cut, lock_lots, move_wh, pieces_of, without

PURPOSE = "storage"


@transaction.atomic
def charge(*, store: EnergySource, point: MeterPoint, start: datetime, wh: int, now: datetime) -> int:
    """Store up to `wh` Wh of what is certified and free of the hour from `start` at `point`; how many it were.

    Only energy that the store's own organization holds. Raises IllegalState for what is no store of that point.
    """
    _lock(store)
    _share_of(store, point, start)
    lots = CertificateLot.objects.covering([point], start, start + HOUR).filter(
        holder=store.organization_id, issuance__temporal_resolution=Resolution.HOUR,
        issuance__release=Release.PRODUCTION,
    )  # fmt: skip
    keys = sorted(lots.values_list("pk", flat=True))
    lock_lots(keys)
    found = pieces_of(keys, "available")
    there = [piece for key in keys for piece in found.get(key, [])]
    taken, _ = cut(there, min(wh, sum(piece.wh for piece in there)))
    if taken:
        move_wh(moves=[Move(taken, "available", "stored", store.public_id, PURPOSE)], now=now)
    return sum(piece.wh for piece in taken)


@transaction.atomic
def discharge(*, store: EnergySource, point: MeterPoint, start: datetime, wh: int, now: datetime) -> CertificateLot:
    """Certify `wh` Wh that came out of `store` for `point` in the hour from `start`; the lot.

    Raises StorageExceedsInput for more than went in before leaves, IllegalState for what is no store of that point and
    for more than its meter saw come out; then nothing is written.
    """
    efficiency = _lock(store)
    share = _share_of(store, point, start)
    there = stored(store=store, before=start)
    most = sum(piece.wh for piece in there) * efficiency // PPM
    if not 0 < wh <= most:
        raise StorageExceedsInput(asked_wh=wh, most_wh=most)
    if claim({SourceHour(store.pk, start): wh}):
        raise IllegalState(f"the meter of {store.device_id} did not see {wh} Wh more come out in that hour")
    drawn, _ = cut(there, ceil_div(wh * PPM, efficiency))
    [issued] = write_issuances([_issuance(store, start)])
    StorageDraw.objects.bulk_create(
        StorageDraw(issuance_id=issued, lot_id=piece.lot, wh_range=(piece.lower, piece.upper)) for piece in drawn
    )
    state = "active" if store.backs_claims else "pending"
    serial = f"{store.device_id} {start:%Y-%m-%dT%H}Z"
    [key] = write_lots([NewLot(issued, 0, wh, store.organization_id, point.pk, state, serial)], now=now)
    if state == "active":
        keep_promises(lots=[(key, Slice(0, share, 0, wh), start)], now=now)
    return CertificateLot.objects.get(pk=key)


def stored(*, store: EnergySource, before: datetime) -> list[Piece]:
    """What went into `store` in hours that ended by `before` and was not drawn yet, the oldest first."""
    entries = SupplyEntry.objects.of_subject(store.public_id).filter(
        to_state="stored", lot__issuance__end__lte=before, lot__state="active"
    )  # fmt: skip
    rows = entries.order_by("lot__issuance__start", "lot", "wh_range").values_list("lot_id", "wh_range")
    pieces = [Piece(lot, found.lower, found.upper) for lot, found in rows]
    draws = StorageDraw.objects.filter(lot__in={piece.lot for piece in pieces})
    gone: dict[int, list[Piece]] = {}
    for lot, found in draws.values_list("lot_id", "wh_range"):
        gone.setdefault(lot, []).append(Piece(lot, found.lower, found.upper))
    return [rest for piece in pieces for rest in without(piece, gone.get(piece.lot, []))]


def _lock(store: EnergySource) -> int:
    """Let in one writer at a time; the store's efficiency in ppm. Raises IllegalState for what is no store."""
    locked = EnergySource.objects.select_for_update(of=("self",), no_key=True).get(pk=store.pk)
    if locked.kind != SourceKind.STORAGE or locked.efficiency_ppm is None:
        raise IllegalState(f"{store.device_id} is no store", kind=store.kind)
    return locked.efficiency_ppm


def _share_of(store: EnergySource, point: MeterPoint, start: datetime) -> SourceShare:
    """The share by which the store serves the point; raises IllegalState."""
    share = SourceShare.objects.serving([point], start).filter(source=store, point__organization=store.organization_id)
    found = share.order_by("pk").first()
    if found is None:
        raise IllegalState(f"{store.device_id} does not serve {point.code} at that hour")
    return found


def _issuance(store: EnergySource, start: datetime) -> NewIssuance:
    """What came out, numbered within its hour; the store is locked."""
    number = Issuance.objects.filter(source=store, start=start).count() + 1
    return NewIssuance(
        REGISTRY, f"{store.device_id} {start:%Y-%m-%dT%H}Z {number}", Scheme.METER, store.pk, store.device_id,
        store.name, store.technology, store.capacity_w, store.commissioned_on, store.organization.name[:80],
        store.zone_id, start, start + HOUR, Release.STORAGE, Resolution.HOUR,
    )  # fmt: skip
