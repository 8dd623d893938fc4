"""What no row of certificates shows by itself: what contradicts another row, or what is on record already."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from marketplace.common.clock import hour_floor
from marketplace.energy import schemes
from marketplace.energy.claiming import SourceHour, free_wh
from marketplace.energy.imports.certificates import Batch, Certified, Wrong, by_issuance, capacity_wh
from marketplace.energy.models import CertificateLot, EnergySource, Issuance, SourceKind
from marketplace.energy.models.supplyrules import resolution_of

PART = 5_000  # values in one question
T = TypeVar("T")
Known = dict[tuple[str, str], Issuance]


def examine(batch: Batch) -> dict[tuple[str, str], int]:
    """Every fault of the file's rows together is told; the keys of issuances that are on record already."""
    batch.find_zones()
    device_ids = {row.device_id for row in batch.rows}
    for part in in_parts(device_ids):
        own = EnergySource.objects.filter(organization=batch.point.organization_id, device_id__in=part)
        batch.sources |= {source.device_id: source for source in own}
    known = _known(batch)
    for row in batch.rows:
        _check_place(batch, row)
    _check_issuances(batch, known)
    _check_capacity(batch)
    _check_underlying(batch)
    _check_plants(batch)
    return {key: issuance.pk for key, issuance in known.items()}


def in_parts(values: Iterable[T]) -> Iterator[list[T]]:
    """`values`, a few thousand at a time."""
    rest = list(values)
    for start in range(0, len(rest), PART):
        yield rest[start : start + PART]


def _known(batch: Batch) -> Known:
    wanted = {row.key for row in batch.rows}
    rows = (
        issuance
        for part in in_parts({number for _, number in wanted})
        for issuance in Issuance.objects.filter(issuance_id__in=part).select_related("zone")
    )
    return {key: row for row in rows if (key := (row.registry, row.issuance_id)) in wanted}


def _check_place(batch: Batch, row: Certified) -> None:
    """A certificate serves a point in the market in which it was issued, while its scheme issues any."""
    zone, point = batch.zones[row.zone], batch.point
    if schemes.is_closed(row.scheme, zone.country, row.end):
        detail = "for production in China from 2025 on no I-REC is issued"
        batch.fault(row, Wrong("interval", "scheme_closed", detail, "import the green certificate (gec)"))
    if zone.pk != point.zone_id and (zone.market_boundary or zone.code) != point.zone.market_boundary:
        detail = f"{zone.code} is in the market {zone.market_boundary or zone.code}, {point.code} in "
        market = point.zone.market_boundary or point.zone.code
        batch.fault(row, Wrong("zone", "wrong_zone", f"{detail}{market}", f"a certificate of {market} serves it"))


def _check_issuances(batch: Batch, known: Known) -> None:
    """Rows of one issuance agree with each other and with what is on record, and no Wh is in two lots."""
    taken: dict[int, list[tuple[int, int]]] = {}
    for part in in_parts([issuance.pk for issuance in known.values()]):
        lots = CertificateLot.objects.filter(issuance__in=part).exclude(state="refused")
        for number, held in lots.values_list("issuance_id", "wh_range"):
            taken.setdefault(number, []).append((held.lower, held.upper))
    for key, rows in by_issuance(batch.rows).items():
        there = known.get(key)
        _check_agreement(batch, rows, there)
        _check_ranges(batch, rows, taken.get(there.pk, []) if there else [])


def _check_agreement(batch: Batch, rows: Sequence[Certified], there: Issuance | None) -> None:
    first = min(rows, key=lambda row: row.line)
    for row in rows:
        if row.facts != first.facts:
            detail = f"line {first.line} tells another plant, interval or issuer of {row.issuance_id}"
            batch.fault(row, Wrong("issuance", "certificate_overlap", detail, "one issuance is of one interval"))
        elif there and (there.device_id, there.start, there.end, there.zone.code, there.scheme) != (
            row.device_id, row.start, row.end, row.zone, row.scheme,
        ):  # fmt: skip
            detail = f"{row.issuance_id} of {row.registry} is on record with another plant or interval"
            batch.fault(row, Wrong("issuance", "certificate_overlap", detail, "ask an operator if yours is right"))


def _check_ranges(batch: Batch, rows: Sequence[Certified], taken: Sequence[tuple[int, int]]) -> None:
    """`rows` are in the order of their Wh."""
    reached, line = -1, 0
    for row in rows:
        if row.lower < reached:
            detail = f"line {line} has some of these Wh already"
            batch.fault(row, Wrong("wh", "certificate_overlap", detail, "keep one of the two"))
        elif any(row.lower < upper and lower < row.upper for lower, upper in taken):
            batch.fault(row, Wrong("wh", "certificate_overlap", "some of these Wh are held already", "leave it out"))
        if row.upper > reached:
            reached, line = row.upper, row.line


def _check_capacity(batch: Batch) -> None:
    """All certificates of a plant and interval together are no more than it can make."""
    made: dict[tuple[object, ...], list[Certified]] = {}
    for row in batch.rows:
        if row.capacity_w is not None:
            made.setdefault((row.registry, row.device_id, row.start, row.end), []).append(row)
    held = _held_wh([row for rows in made.values() for row in rows])
    for interval, rows in made.items():
        total = held.get(interval, 0)
        for row in rows:
            total, most = total + row.wh, capacity_wh(row) or 0
            if total > most:
                detail = f"together {total} Wh are certified of {row.device_id}, which makes {most} in that time"
                batch.fault(row, Wrong("wh", "exceeds_capacity", detail, "the same energy is told twice"))


def _held_wh(rows: Sequence[Certified]) -> dict[tuple[object, ...], int]:
    """What is held already of each (registry, device, start, end), within the time of `rows`."""
    found: dict[tuple[object, ...], int] = {}
    if not rows:
        return found
    first, last = min(row.start for row in rows), max(row.start for row in rows)
    there = CertificateLot.objects.filter(issuance__start__range=(first, last)).exclude(state="refused")
    for part in in_parts({row.device_id for row in rows}):
        lots = there.filter(issuance__device_id__in=part)
        for registry, device, start, end, wh_range in lots.values_list(
            "issuance__registry", "issuance__device_id", "issuance__start", "issuance__end", "wh_range"
        ):
            key = (registry, device, start, end)
            found[key] = found.get(key, 0) + wh_range.upper - wh_range.lower
    return found


def _check_underlying(batch: Batch) -> None:
    """What was made of another certificate, and that certificate, are never both alive."""
    made_of = {row.underlying_serial: row.key for row in batch.rows if row.underlying_serial}
    numbers = {row.issuance_id for row in batch.rows}
    alive: set[str] = set()
    used: dict[str | None, tuple[str, str]] = {}
    for part in in_parts(made_of):
        lots = CertificateLot.objects.alive().filter(issuance__issuance_id__in=part)
        alive |= set(lots.values_list("issuance__issuance_id", flat=True))
        others = Issuance.objects.filter(underlying_serial__in=part)
        used |= {row.underlying_serial: (row.registry, row.issuance_id) for row in others}
    remade: set[str | None] = set(made_of)
    for part in in_parts(numbers):
        lots = CertificateLot.objects.alive().filter(issuance__underlying_serial__in=part)
        remade |= set(lots.values_list("issuance__underlying_serial", flat=True))
    for row in batch.rows:
        serial = row.underlying_serial
        if serial in alive or (serial and serial in numbers):
            detail, hint = f"energy of {serial} is still alive", "cancel or withdraw it first"
            batch.fault(row, Wrong("underlying", "underlying_still_active", detail, hint))
        elif serial and (made_of[serial] != row.key or used.get(serial, row.key) != row.key):
            detail = f"another certificate is made of {serial}"
            batch.fault(row, Wrong("underlying", "underlying_still_active", detail, "one is made of one"))
        elif row.issuance_id in remade:
            detail = f"a certificate that is alive was made of {row.issuance_id}"
            batch.fault(row, Wrong("issuance", "underlying_still_active", detail, "leave it out"))


def _check_plants(batch: Batch) -> None:
    """Certificates of a plant of one's own are of energy that its meter saw and nobody has claimed."""
    claims: dict[SourceHour, list[Certified]] = {}
    for row in batch.rows:
        source = batch.sources.get(row.device_id)
        if source is None:
            continue
        wrong = _wrong_plant(row, source)
        if wrong:
            batch.fault(row, wrong)
        elif source.is_measured:
            claims.setdefault(SourceHour(source.pk, hour_floor(row.start)), []).append(row)
    free = free_wh({hour: 0 for hour in claims})
    for hour, rows in claims.items():
        left = free[hour]
        for row in rows:
            left -= row.wh
            if left < 0:
                detail = f"its meter leaves {max(left + row.wh, 0)} Wh of that hour that are not claimed yet"
                hint = "import the plant's meter first, and each Wh once"
                batch.fault(row, Wrong("wh", "exceeds_production", detail, hint))


def _wrong_plant(row: Certified, source: EnergySource) -> Wrong | None:
    if row.technology != source.technology:
        return Wrong("device", "bad_value", f"your source {source.device_id} is {source.technology}")
    if source.kind == SourceKind.STORAGE:
        detail = "what your own store gives is issued here, from what went in"
        return Wrong("device", "storage_exceeds_input", detail, "leave it out")
    if source.certificates_sold:
        return Wrong("device", "exceeds_production", f"the certificates of {source.device_id} are sold", "leave it out")
    if source.is_measured and resolution_of(row.start, row.end) != "hour":
        detail = f"the energy of {source.device_id} is metered and counted by the hour here"
        return Wrong("wh", "exceeds_production", detail, "certificates of the same energy would count it twice")
    return None
