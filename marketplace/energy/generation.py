"""What plants made, hour by hour, and the on-site records that metered hours become.

The hour of an on-site plant is one issuance of the scheme METER; each share of the plant is a lot of it, the Wh between
the ends of its slice, so that lots tile what was made and no Wh is in two of them. A plant whose certificates are sold
gives no lots, and a plant that nobody has verified gives lots that wait for a reviewer.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from marketplace.common.clock import HOUR
from marketplace.common.units import PPM
from marketplace.energy.copying import copy_rows
from marketplace.energy.issuing import NewIssuance, NewLot, write_issuances, write_lots
from marketplace.energy.models import (
    EnergySource,
    GenerationQuality,
    PromiseHour,
    Release,
    Resolution,
    Scheme,
    SourceKind,
    SourceShare,
)
from marketplace.energy.supply import Move, Piece, move_wh

REGISTRY = "on-site meter"
COPY_GENERATION = "COPY energy_generationhour (source_id, start, quality, wh, claimed_wh) FROM STDIN"


class Made(NamedTuple):
    """What a source made in the hour from `start`, in Wh."""

    start: datetime
    wh: int


class Slice(NamedTuple):
    """The Wh [lower, upper) of an hour of generation that one share brings to one point."""

    number: int  # of the hour
    share: SourceShare
    lower: int
    upper: int


def slice_of(wh: int, lower_ppm: int, upper_ppm: int) -> tuple[int, int]:
    """The Wh of `wh` between the ends of a slice, rounded down: adjoining slices share no Wh and leave none out."""
    return wh * lower_ppm // PPM, wh * upper_ppm // PPM


@transaction.atomic
def record_generation(
    *, source: EnergySource, made: Sequence[Made], quality: str = GenerationQuality.METERED, now: datetime,
    evidence_sha256: str = "",
) -> int:  # fmt: skip
    """Write the hours of a source and the lots that they become; how many lots.

    An hour that is there already raises IntegrityError, and nothing is written. The source is locked: what is known of
    it does not change meanwhile.
    """
    rows = EnergySource.objects.select_for_update(of=("self",), no_key=True).select_related("organization")
    source = rows.get(pk=source.pk)
    shares = list(SourceShare.objects.filter(source=source).order_by("slice"))
    gives = quality == GenerationQuality.METERED and _gives_lots(source)
    slices = [each for number, hour in enumerate(made) for each in slices_of(shares, number, hour)] if gives else []
    claimed = [0] * len(made)
    for each in slices:
        claimed[each.number] += each.upper - each.lower
    copy_rows(
        COPY_GENERATION,
        ((source.pk, hour.start, quality, hour.wh, own) for hour, own in zip(made, claimed, strict=True)),
    )
    if slices:
        _issue(source, made, slices, evidence_sha256, now)
    return len(slices)


def _gives_lots(source: EnergySource) -> bool:
    return source.kind == SourceKind.ONSITE and not source.certificates_sold


def slices_of(shares: Iterable[SourceShare], number: int, hour: Made) -> Iterator[Slice]:
    """What each of `shares` gets of an hour, which is the one with that number, in their order."""
    for share in shares:
        if hour.start in share.valid:
            lower, upper = slice_of(hour.wh, share.slice.lower, share.slice.upper)
            if upper > lower:
                yield Slice(number, share, lower, upper)


def _issue(source: EnergySource, made: Sequence[Made], slices: Sequence[Slice], sha256: str, now: datetime) -> None:
    numbers = sorted({each.number for each in slices})
    issued = write_issuances([_issuance(source, made[number].start) for number in numbers])
    keys = dict(zip(numbers, issued, strict=True))
    state = "active" if source.backs_claims else "pending"
    lots = write_lots(
        [
            NewLot(keys[each.number], each.lower, each.upper, source.organization_id, each.share.point_id, state,
                   f"{source.device_id} {made[each.number].start:%Y-%m-%dT%H}Z", sha256)
            for each in slices
        ],
        now=now,
    )  # fmt: skip
    if state == "active":
        starts = [made[each.number].start for each in slices]
        keep_promises(lots=list(zip(lots, slices, starts, strict=True)), now=now)


def _issuance(source: EnergySource, start: datetime) -> NewIssuance:
    return NewIssuance(
        REGISTRY, f"{source.device_id} {start:%Y-%m-%dT%H}Z", Scheme.METER, source.pk, source.device_id, source.name,
        source.technology, source.capacity_w, source.commissioned_on, source.organization.name[:80], source.zone_id,
        start, start + HOUR, Release.PRODUCTION, Resolution.HOUR,
    )  # fmt: skip


def keep_promises(*, lots: Sequence[tuple[int, Slice, datetime]], now: datetime) -> int:
    """Set the promised parts of fresh lots (key, slice, hour) aside for whom they were promised to; how many Wh.

    A part is rounded down; parts lie one after another from the lot's first Wh on.
    """
    shares = {each.share.pk for _, each, _ in lots}
    starts = [start for _, _, start in lots]
    promised: dict[tuple[int, datetime], list[tuple[int, str]]] = {}
    rows = PromiseHour.objects.filter(share_hour__share__in=shares, share_hour__start__in=set(starts)).order_by("pk")
    for share, start, ppm, subject in rows.values_list(
        "share_hour__share_id", "share_hour__start", "ppm", "promise__subject"
    ):
        promised.setdefault((share, start), []).append((ppm, subject))
    moves = []
    for key, each, start in lots:
        lower = each.lower
        for ppm, subject in promised.get((each.share.pk, start), []):
            wh = (each.upper - each.lower) * ppm // PPM
            if wh:
                moves.append(Move([Piece(key, lower, lower + wh)], "available", "reserved", subject))
                lower += wh
    if moves:
        move_wh(moves=moves, now=now)
    return sum(piece.wh for move in moves for piece in move.pieces)
