"""The energy-facts label of an offer: its window first, then what to expect of the offer, then what was settled."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.components.bands import band_bar
from frontend.components.formats import duration, energy, intensity, moment, percent_down
from marketplace.common.units import PPM
from marketplace.energy.models import ShareOutlook
from marketplace.energy.outlookview import outlooks_of
from marketplace.energy.paths import PATHS
from marketplace.energy.pointhours import RunShares
from marketplace.energy.supplyhours import PROVEN_DAYS
from scheduler.search import Row

PER_PERCENT = 10_000


def facts_of(row: Row, hours: int) -> dict[str, Any]:
    """The label of one unit-hour in the window: the most a unit draws, overhead included."""
    watts, site, shares = row.ranked.offer.watts, row.offer.site, row.shares
    outlooks = outlooks_of(row.offer.public_id)
    return {
        "per": _("One unit-hour in your window"),
        "window": f"{moment(row.start, site.zone.timezone)} · {duration(hours * 3600)}",
        "energy_wh": watts,
        "carbon_g": -(-watts * row.ranked.ci_mg // 1_000_000),
        "carbon_mg_per_kwh": row.ranked.ci_mg,
        "matched": _("unproven") if shares.matched is None else percent_down(shares.matched),
        "renewable_name": _("Renewable, with the grid's share"),
        "renewable_share_ppm": row.ranked.share_ppm,
        "sources": sources_of(shares, row.point.supplied, row.ranked.ci_mg),
        "pue": f"{site.pue_ppm / 1e6:.2f}",
        "water": _water(site.point.water_ml_per_kwh),
        "quality": shares.quality,
        "outlooks": [_outlook(each) for each in outlooks],
        "settled": _settled(outlooks[0]) if outlooks else None,
        "note": _(
            "Location-based, life-cycle, average of grid zone %(zone)s; at full power. Matched is what could be "
            "promised (P10), for all that the site sells. Not counted: making the hardware."
        ) % {"zone": site.zone.code},
    }  # fmt: skip


def sources_of(shares: RunShares, supplied: bool, ci_mg: int) -> list[dict[str, Any]]:
    """Where the electricity of the run comes from, in whole per cent that add up, also to the shares printed above."""
    upto = [ppm // PER_PERCENT for ppm in (shares.expected, shares.renewable, shares.carbon_free)]
    parts = [
        ("hydro", _("Plants of this site, expected"), upto[0]),
        ("c2", _("Renewable, from the grid"), upto[1] - upto[0]),
        ("nuclear", _("Other carbon-free"), upto[2] - upto[1]),
    ]
    shown = [{"kind": kind, "name": name, "percent": percent} for kind, name, percent in parts]
    rest = PPM // PER_PERCENT - upto[2]
    name = _("Rest of the grid, all of it at %(intensity)s") % {"intensity": intensity(ci_mg)}
    return [*shown[not supplied :], {"kind": "grid", "name": name, "percent": rest}]


def _water(ml_per_kwh: int | None) -> str:
    return _("not metered") if ml_per_kwh is None else f"{ml_per_kwh / 1000:.2f} L/kWh"


def _outlook(row: ShareOutlook) -> dict[str, Any]:
    """A span of the forecast with its words."""
    return {
        "name": ngettext("Next %(days)d day", "Next %(days)d days", row.days) % {"days": row.days},
        "quality": "sample" if row.sample else "forecast",
        "matched": _band(row.matched),
        "blended": _band(row.blended if row.matched is not None else row.grid),
        "blended_name": _("with the grid's share") if row.matched is not None else _("the grid alone"),
        "unproven": _unproven(row) if row.unproven else "",
        "fewer": _fewer(row.paths) if row.matched is not None and row.supplied and row.paths < PATHS else "",
    }


def _band(band: Sequence[int] | None) -> dict[str, Any] | None:
    if band is None:
        return None
    low, middle, high = (ppm // PER_PERCENT for ppm in band)
    return {"low": low, "middle": middle, "high": high, "bar": band_bar(band)}


def _unproven(row: ShareOutlook) -> str:
    if row.history_days < PROVEN_DAYS:
        said = {"known": row.history_days, "needed": PROVEN_DAYS}
        return _("unproven: %(known)d of %(needed)d days of meter hours are known") % said
    said = {"known": row.history_days, "days": row.days}
    return _("unproven: %(known)d days of meter hours are too few to try forecasts of %(days)d days on") % said


def _fewer(paths: int) -> str:
    return _("from the errors of %(paths)d past forecasts where 60 are usual, so the range is rougher") % {
        "paths": paths
    }


def _settled(row: ShareOutlook) -> str:
    """What was settled, with its sample size."""
    if row.settled_ppm is None:
        return _("no use settled yet")
    uses = ngettext("%(count)d use", "%(count)d uses", row.settled_uses) % {"count": row.settled_uses}
    said = {"share": percent_down(row.settled_ppm), "energy": energy(row.settled_wh), "uses": uses}
    return _("%(share)s of %(energy)s, %(uses)s") % said
