"""Files of grid hours into the record: the whole file or nothing of it."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from marketplace.energy.copying import HourRow, copy_hours, wait_for_turn
from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.sheets import LAYOUTS, Sheet, text_of
from marketplace.energy.models import GridHour, GridZone, ImportFile, ImportState
from marketplace.energy.services import add_zone
from marketplace.energy.zones import BY_CODE

VINTAGE_DIGITS = 12  # of the file's hash: another file is another vintage


class _Faulty(Exception):
    """Rolls the transaction back once every fault of the file is known."""


def import_grid(*, data: bytes, kind: str, now: datetime, zones: Collection[str] = ()) -> ImportFile:
    """Import the hours of `zones` (none named: all) from a file of `kind`: `grid_hourly` or `grid_portal`.

    Any fault imports nothing: the answer's state is then `refused`, `errors` lists the first 100 faults as {line,
    column, code, detail, hint} and `faults` counts them all. The same bytes again give the first import, unchanged.
    Raises WrongImport for what cannot be read as a table at all.
    """
    if kind not in LAYOUTS:
        raise WrongImport(f"there is no kind {kind!r}", hint=f"one of {', '.join(sorted(LAYOUTS))}")
    known = {*BY_CODE, *GridZone.objects.values_list("code", flat=True)}
    strangers = sorted(set(zones) - known)
    if strangers:
        raise WrongImport(f"no grid zone is called {', '.join(strangers)}", hint=f"known: {', '.join(sorted(known))}")
    digest = hashlib.sha256(data).hexdigest()
    scope = ",".join(sorted(set(zones)))
    sheet = Sheet(text_of(data), LAYOUTS[kind], known, frozenset(zones))
    try:
        return _take(sheet, kind=kind, digest=digest, scope=scope, now=now)
    except _Faulty:
        return ImportFile.objects.create(
            kind=kind, sha256=digest, scope=scope, state=ImportState.REFUSED, rows=0,
            faults=sheet.fault_count, errors=[asdict(fault) for fault in sheet.faults], imported_at=now,
        )  # fmt: skip


@transaction.atomic
def _take(sheet: Sheet, *, kind: str, digest: str, scope: str, now: datetime) -> ImportFile:
    """Write every hour and the record of the file; raises _Faulty, and writes nothing, when a row is wrong."""
    wait_for_turn()
    earlier = ImportFile.objects.filter(kind=kind, sha256=digest, scope=scope, state=ImportState.IMPORTED).first()
    if earlier:
        return earlier
    vintage = digest[:VINTAGE_DIGITS]
    keys = {code: _zone_of(code).pk for code in sorted(sheet.zones())}
    taken = GridHour.objects.filter(source=sheet.layout.source, vintage=vintage, zone__in=keys.values())
    there = set(taken.order_by().values_list("zone_id", flat=True).distinct())
    rows = copy_hours(_rows(sheet, keys, there, vintage, now))
    if sheet.fault_count:
        raise _Faulty
    return ImportFile.objects.create(
        kind=kind, sha256=digest, scope=scope, state=ImportState.IMPORTED, rows=rows, imported_at=now
    )  # fmt: skip


def _rows(sheet: Sheet, keys: dict[str, int], there: Collection[int], vintage: str, now: datetime) -> Iterator[HourRow]:
    """The rows to write: zones that an import of the same bytes has brought already are only checked."""
    source = sheet.layout.source
    for hour in sheet.hours():
        zone = keys[hour.zone]
        if zone not in there:
            yield HourRow(
                zone, hour.start, hour.direct_mg, hour.lifecycle_mg, None, hour.renewable_ppm, hour.carbon_free_ppm,
                source, vintage, hour.estimated, now,
            )  # fmt: skip


def _zone_of(code: str) -> GridZone:
    return add_zone(known=BY_CODE[code]) if code in BY_CODE else GridZone.objects.get(code=code)
