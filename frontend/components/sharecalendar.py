"""Days by 24 hours of a share that was settled: dark where all of it was matched, hatched where nothing is settled."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo

from django.utils.translation import gettext as _

from frontend.components.calendar import Calendar, Cell, Day, renewable_step
from frontend.components.formats import moment, percent_down, weekday, zone_of
from marketplace.common.units import PPM

Parts = tuple[int, int]  # Wh matched, Wh used


def share_calendar(
    hours: Mapping[datetime, Parts], *, first: datetime, days: int, zone: str | tzinfo | None = None
) -> Calendar:
    """The table of `days` local days from the one that `first` lies in; an hour that `hours` lacks is hatched."""
    where = zone_of(zone)
    by_day: dict[date, dict[int, tuple[datetime, Parts]]] = {}
    for start, parts in sorted(hours.items()):
        local = start.astimezone(where)
        by_day.setdefault(local.date(), {}).setdefault(local.hour, (start, parts))
    day = first.astimezone(where).date()
    rows = [_day(day + timedelta(days=n), by_day.get(day + timedelta(days=n), {}), where) for n in range(days)]
    return Calendar(tuple(rows), {"renewable": ("0%", "100%")}, "metered")


def _day(day: date, found: Mapping[int, tuple[datetime, Parts]], where: tzinfo) -> Day:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=where)
    cells = tuple(_cell(found.get(hour), noon.replace(hour=hour), where) for hour in range(24))
    return Day(weekday(noon, where), day, {"renewable": _share([parts for _start, parts in found.values()])}, cells)


def _cell(found: tuple[datetime, Parts] | None, hour: datetime, where: tzinfo) -> Cell:
    if found is None:
        return Cell("sold", f"{moment(hour, where)}: {_('nothing settled')}", start=hour)
    start, (matched, used) = found
    said = _("%(share)s matched by the hour") % {"share": _share([(matched, used)])}
    return Cell(f"r{renewable_step(_ppm(matched, used))}", f"{moment(start, where)}: {said}", start=start)


def _share(parts: Sequence[Parts]) -> str:
    used = sum(each for _matched, each in parts)
    return percent_down(_ppm(sum(matched for matched, _used in parts), used)) if used else "—"


def _ppm(matched: int, used: int) -> int:
    return matched * PPM // used if used else 0
