"""Files of evidence that an organization sends: meters and certificates, the whole file or nothing of it."""

from collections.abc import Callable
from datetime import datetime

from django.db import connection

from accounts.models import Organization
from marketplace.common.errors import NotFound
from marketplace.energy.errors import WrongImport
from marketplace.energy.imports import gc, gec, meter
from marketplace.energy.imports.certificates import Batch
from marketplace.energy.imports.examining import examine
from marketplace.energy.imports.sheets import Sheet, headings_of, text_of
from marketplace.energy.imports.taking import Sent, Taken, take_whole
from marketplace.energy.models import ImportFile, MeterPoint

METER = "meter"
CERTIFICATES = ("gc", "gec")
KINDS = (*CERTIFICATES, METER)
EVIDENCE_LOCK = 7_300_416  # any number of ours: one file of evidence at a time is compared with the record and written


def import_evidence(
    *, data: bytes, kind: str, organization: Organization, now: datetime, point: MeterPoint | None = None
) -> ImportFile:
    """Import a file of `kind`, one of KINDS, that `organization` sends; certificates serve its `point`.

    Any fault imports nothing, as `take_whole` says. Raises WrongImport for what cannot be read as a table at all or
    lacks a point, NotFound for another's point.
    """
    if kind not in KINDS:
        raise WrongImport(f"there is no kind {kind!r}", hint=f"one of {', '.join(KINDS)}")
    if point is not None and point.organization_id != organization.pk:
        raise NotFound(f"there is no metering point {point.code}")
    if kind == METER:
        return _import_meter(data, organization, now)
    if point is None:
        raise WrongImport("certificates serve one metering point", hint="name the point that they are for")
    return _import_certificates(data, kind, organization, point, now)


def _import_meter(data: bytes, organization: Organization, now: datetime) -> ImportFile:
    sent = Sent.of(data, kind=METER, organization=organization, now=now)
    text = text_of(data)
    take: Callable[[], Taken]
    if "device_id" in headings_of(text):
        plants = meter.sheet_of_plants(text, organization, sent)
        faults, read, take = plants.sheet.faults, plants.read, lambda: meter.write_plants(plants)
    else:
        points = meter.sheet_of_points(text, organization, sent)
        faults, read, take = points.sheet.faults, points.read, lambda: meter.write_points(points)
    return take_whole(sent=sent, faults=faults, read=read, wait=wait_for_turn, take=take)


def _import_certificates(
    data: bytes, kind: str, organization: Organization, point: MeterPoint, now: datetime
) -> ImportFile:
    sent = Sent.of(data, kind=kind, scope=point.code, organization=organization, now=now)
    of_gec = kind == "gec"
    sheet = Sheet(text_of(data), gec.columns(organization.name) if of_gec else gc.columns())
    batch = Batch(sheet, gec.COLUMNS_OF if of_gec else gc.COLUMNS_OF, point, sent)

    def read() -> None:
        for line, values in sheet.rows():
            row = gec.GecRow._make(values) if of_gec else gc.GcRow._make(values)
            batch.add(row.certified(line))

    def take() -> Taken:
        known = examine(batch)
        return Taken(0) if sheet.faults.count else batch.write(known)

    return take_whole(sent=sent, faults=sheet.faults, read=read, wait=wait_for_turn, take=take)


def wait_for_turn() -> None:
    """Hold the writers' lock until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [EVIDENCE_LOCK])
