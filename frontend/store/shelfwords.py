"""Words of the shelf: kinds, tiers, terms, evidence, regions, filters as chips, and why a row stands where it does."""

from collections.abc import Mapping, Sequence
from statistics import median_low

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from frontend.components.energywords import source_kind_name
from frontend.store.limitwords import relaxing
from marketplace.energy.models import SourceKind, Technology
from marketplace.energy.receipts.words import technology_name
from scheduler.search import Row

NEAR_ENOUGH = 3  # per cent and points that nobody needs to hear of
COARSER = frozenset({"day", "month", "year"})  # than what is finest
AXES = ("price", "latency", "green")


def kinds() -> dict[str, str]:
    """Kinds of site."""
    return {"datacenter": _("Data centre"), "edge": _("Edge site"), "orbital": _("Orbit")}


def tiers() -> dict[str, str]:
    """Tiers."""
    return {"firm": pgettext("tier", "Firm"), "interruptible": _("Interruptible")}


def terms() -> dict[str, str]:
    """Terms of purchase."""
    return {"on_demand": _("On demand"), "reserved": pgettext("term", "Reserved")}


def evidence() -> dict[str, str]:
    """Levels of evidence, the weakest first."""
    return {
        "declared": _("Self-declared"),
        "documents": _("Documents checked"),
        "metered": pgettext("evidence", "Metered"),
        "audited": _("Metered and audited"),
    }


def energy_sources() -> dict[str, str]:
    """How energy reaches a site, and what makes it."""
    return {
        **{each: source_kind_name(each) for each in SourceKind.values},
        **{each: technology_name(each) for each in Technology.values},
    }  # fmt: skip


def resolutions() -> dict[str, str]:
    """How finely the time of production is known, from finest."""
    return {
        "hour": _("Known by the hour"), "day": _("Known by the day"), "month": _("Known by the month"),
        "year": _("Known by the year"),
    }  # fmt: skip


def countries() -> dict[str, str]:
    """Countries of the sample market; others show their code."""
    return {"CN": _("China"), "DE": _("Germany"), "SE": _("Sweden"), "SG": _("Singapore"), "US": _("United States")}


def regions() -> dict[str, str]:
    """Regions of the sample market; others show their name."""
    return {
        "cn-east": _("East China"),
        "cn-north": _("North China"),
        "cn-northwest": _("North-west China"),
        "cn-south": _("South China"),
        "cn-southwest": _("South-west China"),
        "eu-central": _("Central Europe"),
        "eu-north": _("Northern Europe"),
        "us-south": _("Southern US"),
        "ap-southeast": _("South-east Asia"),
    }


def named(name: str, value: str) -> str:
    """One value of a filter that chooses by name; empty for any other filter."""
    words = {
        "kind": kinds, "tier": tiers, "term": terms, "evidence": evidence, "residency": countries, "region": regions,
        "energy_source": energy_sources, "temporal_resolution": resolutions,
    }.get(name)  # fmt: skip
    return words().get(value, value) if words else ""


def chip(name: str, value: str, currency: str) -> str:
    """A filter in force, as short as it can be said."""
    if name == "evidence" or (name == "temporal_resolution" and value in COARSER):
        return _("%(level)s or better") % {"level": named(name, value)}
    if name == "q":
        return f"“{value}”"
    if word := named(name, value):
        return word
    return value if name in {"accelerator", "interconnect"} else relaxing({name: value}, currency)


class Reasons:
    """Compares each row with the middle of the shelf."""

    def __init__(self, ranked: Sequence[Row]) -> None:
        self.rows = list(ranked)
        self.price = median_low([row.pflop_hour_mm for row in self.rows]) if self.rows else 0
        self.share = median_low([row.ranked.share_ppm for row in self.rows]) if self.rows else 0
        known = [row.ranked.latency_ms for row in self.rows if row.ranked.latency_ms is not None]
        self.latency = median_low(known) if known else None

    def of(self, row: Row) -> str:
        """One sentence in plain numbers; the first row says what puts it ahead of the second."""
        parts = [self._price(row), self._share(row), *self._latency(row)]
        sentence = _("; ").join(parts)
        sentence = sentence[:1].upper() + sentence[1:] + _(".")
        ahead = self._ahead(row)
        return f"{sentence} {ahead}" if ahead else sentence

    def _price(self, row: Row) -> str:
        change = round(100 * row.pflop_hour_mm / self.price) - 100 if self.price else 0
        if abs(change) < NEAR_ENOUGH:
            return _("median price")
        text = (
            _("%(percent)d%% under the median price per PFLOP-hour")
            if change < 0
            else _("%(percent)d%% over the median price per PFLOP-hour")
        )
        return text % {"percent": abs(change)}

    def _share(self, row: Row) -> str:
        points = (row.ranked.share_ppm - self.share) // 10_000
        if abs(points) < NEAR_ENOUGH:
            return _("typical renewable share")
        text = (
            _("%(points)d points more renewable than most")
            if points > 0
            else _("%(points)d points less renewable than most")
        )
        return text % {"points": abs(points)}

    def _latency(self, row: Row) -> list[str]:
        mine = row.ranked.latency_ms
        if self.latency is None or mine is None:
            return []
        if 5 * mine <= 4 * self.latency:
            return [_("%(ms)d ms nearer than most") % {"ms": self.latency - mine}]
        if 4 * mine > 5 * self.latency:
            return [_("%(ms)d ms farther than most") % {"ms": mine - self.latency}]
        return [_("typical latency")]

    def _ahead(self, row: Row) -> str:
        if row.rank != 1 or len(self.rows) < 2:
            return ""
        second = next((each for each in self.rows if each.rank == 2), None)
        if second is None:
            return ""
        lead = {axis: getattr(row.ranked.fit, axis) - getattr(second.ranked.fit, axis) for axis in AXES}
        best = max(lead, key=lambda axis: lead[axis])
        if lead[best] <= 0:
            return ""
        words: Mapping[str, str] = {
            "price": _("Ahead of %(letter)s mainly on price."),
            "latency": _("Ahead of %(letter)s mainly on latency."),
            "green": _("Ahead of %(letter)s mainly on green power."),
        }
        return words[best] % {"letter": second.letter}
