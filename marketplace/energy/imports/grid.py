"""Files of grid hours into the record: the whole file or nothing of it."""

from collections.abc import Collection, Iterator
from datetime import datetime

from marketplace.energy.copying import HourRow, copy_hours, wait_for_turn
from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.gridsheet import LAYOUTS, GridSheet
from marketplace.energy.imports.sheets import text_of
from marketplace.energy.imports.taking import Sent, Taken, take_whole
from marketplace.energy.models import GridHour, GridZone, ImportFile
from marketplace.energy.services import add_zone
from marketplace.energy.zones import BY_CODE

VINTAGE_DIGITS = 12  # of the file's hash: another file is another vintage


def import_grid(*, data: bytes, kind: str, now: datetime, zones: Collection[str] = ()) -> ImportFile:
    """Import the hours of `zones` (none named: all) from a file of `kind`: `grid_hourly` or `grid_portal`.

    Any fault imports nothing, as `take_whole` says. Raises WrongImport for what cannot be read as a table at all.
    """
    if kind not in LAYOUTS:
        raise WrongImport(f"there is no kind {kind!r}", hint=f"one of {', '.join(sorted(LAYOUTS))}")
    known = known_zones()
    strangers = sorted(set(zones) - known)
    if strangers:
        raise WrongImport(f"no grid zone is called {', '.join(strangers)}", hint=f"known: {', '.join(sorted(known))}")
    sent = Sent.of(data, kind=kind, scope=",".join(sorted(set(zones))), now=now)
    sheet = GridSheet(text_of(data), LAYOUTS[kind], known, frozenset(zones))
    return take_whole(sent=sent, faults=sheet.faults, wait=wait_for_turn, take=lambda: _take(sheet, sent))


def known_zones() -> set[str]:
    """The codes of all zones: those that are known by name, and those that an operator made."""
    return {*BY_CODE, *GridZone.objects.values_list("code", flat=True)}


def zone_of(code: str) -> GridZone:
    """The zone of a known code, made if it is not there yet."""
    return add_zone(known=BY_CODE[code]) if code in BY_CODE else GridZone.objects.get(code=code)


def _take(sheet: GridSheet, sent: Sent) -> Taken:
    """Write every hour, and count them."""
    vintage = sent.sha256[:VINTAGE_DIGITS]
    keys = {code: zone_of(code).pk for code in sorted(sheet.zones())}
    taken = GridHour.objects.filter(source=sheet.layout.source, vintage=vintage, zone__in=keys.values())
    there = set(taken.order_by().values_list("zone_id", flat=True).distinct())
    return Taken(copy_hours(_rows(sheet, keys, there, vintage, sent.at)))


def _rows(
    sheet: GridSheet, keys: dict[str, int], there: Collection[int], vintage: str, now: datetime
) -> Iterator[HourRow]:  # fmt: skip
    """The rows to write: zones that an import of the same bytes has brought already are only checked."""
    source = sheet.layout.source
    for hour in sheet.hours():
        zone = keys[hour.zone]
        if zone not in there:
            yield HourRow(
                zone, hour.start, hour.direct_mg, hour.lifecycle_mg, None, hour.renewable_ppm, hour.carbon_free_ppm,
                source, vintage, hour.estimated, now,
            )  # fmt: skip
