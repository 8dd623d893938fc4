"""Shards: a hardware family, or one group of its regions, that a worker matches alone; a job's way through them.

Prices and fair parts are the family's: scores stay comparable between regions. Where families are split (`SHARDS`), a
job waits in one group at a time, first in that of its lowest cost on an empty market. A round that refuses it there
sends it to the next; once all have looked it is told what they said together, and waits. Units given back in a group
call every job that looked there before.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.db.models import Q

from marketplace.catalog.models import Family
from scheduler.core.scoring import NEVER
from scheduler.core.survey import Survey
from scheduler.core.types import UNPLACED

FAMILIES = tuple(Family.values)
REST = "rest"
Told = Mapping[str, Any]


class Shard(NamedTuple):
    """A hardware family, or what one group of regions has of it."""

    family: str
    group: str = ""

    @property
    def name(self) -> str:
        """`cpu` or `cpu.europe`: the name of its queue, its lock and what is kept of it."""
        return f"{self.family}.{self.group}" if self.group else self.family

    @classmethod
    def named(cls, name: str) -> Self:
        """The shard of that name."""
        family, _, group = name.partition(".")
        return cls(family, group)

    @property
    def lock(self) -> int:
        """The key of its lock, a signed number of 32 bits; where two shards share one they only take turns."""
        return zlib.crc32(self.name.encode()) - 2**31

    def sites(self) -> tuple[list[str], bool]:
        """(countries, whether its sites lie in them): those of the group, or all that others name, or any."""
        if self.group in ("", REST):
            others = settings.REGION_GROUPS.values() if self.group else ()
            return [country for countries in others for country in countries], False
        return list(settings.REGION_GROUPS.get(self.group, ())), True

    def offers(self) -> Q:
        """Its offers, of all."""
        countries, inside = self.sites()
        lies_in = Q(site__country__in=countries)
        return Q(hardware__family=self.family) & (lies_in if inside else ~lies_in)


def groups() -> list[str]:
    """The groups that split every family; the empty one alone where none does."""
    return list(settings.REGION_GROUPS) or [""]


def all_shards() -> list[Shard]:
    """Every shard of this market."""
    return [Shard(family, group) for family in FAMILIES for group in groups()]


def group_of(country: str) -> str:
    """The group of a country."""
    named = settings.REGION_GROUPS
    return next((name for name, countries in named.items() if country in countries), REST) if named else ""


@dataclass(frozen=True, slots=True)
class Trip:
    """A waiting job's way: `groups` in the order of trying, those that `looked` since the last news, what each said."""

    groups: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()
    heard: Mapping[str, Told] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Self:
        """The stored trip; groups that this market has and the trip does not know are tried last."""
        known = stored or {"groups": (), "looked": (), "heard": {}}
        there = groups()
        kept = [each for each in known["groups"] if each in there]
        return cls(
            tuple(kept + [each for each in there if each not in kept]),
            tuple(each for each in known["looked"] if each in there),
            {name: told for name, told in known["heard"].items() if name in there},
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def after(self, here: str, told: Told) -> "Trip":
        """Having been refused in `here`."""
        return replace(self, looked=(*self.looked, here), heard={**self.heard, here: told})

    @property
    def next(self) -> str | None:
        """Where to look now; None when all have looked."""
        return next((each for each in self.groups if each not in self.looked), None)

    def over(self) -> "Trip":
        """All have looked: the next look begins anew."""
        return replace(self, looked=())

    def summary(self) -> Told:
        """What the market said, from what its groups said."""
        return together([self.heard[each] for each in self.groups if each in self.heard])


def start_of(order: Sequence[str]) -> dict[str, Any]:
    """The fields of a job that is to look in these groups, in this order."""
    return {"region_group": order[0], "trip": Trip(tuple(order)).as_json() if order[0] else None}


def together(refusals: Sequence[Told]) -> Told:
    """One refusal of the whole market from those of its parts: the offers of each limit add up.

    They come in the order of trying. The code is the most hopeful one; a pair of limits is a way out only where no
    single one is (matching.md, section 2).
    """
    if len(refusals) == 1:
        return refusals[0]
    rejected: dict[str, int] = {}
    for refusal in refusals:
        for code, count in refusal["rejected"].items():
            rejected[code] = rejected.get(code, 0) + count
    return {
        "code": min((refusal["code"] for refusal in refusals), key=UNPLACED.index),
        "rejected": rejected,
        "relax": _ways_out([way for refusal in refusals for way in refusal["relax"]]),
    }


def _ways_out(ways: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each limit the nearest change, of equal ones the first, with the offers that all parts would get back."""
    best: dict[tuple[str, ...], dict[str, Any]] = {}
    for way in ways:
        known = best.get(tuple(way["limits"]))
        if known is None:
            best[tuple(way["limits"])] = dict(way)
        else:
            nearer = way if _distance(way) < _distance(known) else known
            known |= {**nearer, "offers": known["offers"] + way["offers"]}
    singles = [way for limits, way in best.items() if len(limits) == 1]
    return sorted(singles, key=lambda each: -each["offers"]) or list(best.values())[:1]


def _distance(way: Mapping[str, Any]) -> tuple[bool, int]:
    """How far a change goes; to drop the limit goes furthest, and what is no number cannot be compared."""
    name, value = way["changes"][0]
    if isinstance(value, bool) or not isinstance(value, int):
        return value is None, 0
    return False, -value if name.endswith("__gte") or name in {"units", "start_after"} else value


def order_of(survey: Survey) -> list[str]:
    """The groups by the lowest cost that one of their offers would have if nothing were promised; the rest behind."""
    least = dict.fromkeys(groups(), NEVER)
    if survey.key_when_empty.size:
        keys = survey.key_when_empty.min(axis=0).tolist()
        for pick, key in zip(survey.spans.picks.tolist(), keys, strict=True):
            group = group_of(survey.market.offers[pick].country)
            least[group] = min(least[group], key)
    return sorted(least, key=lambda group: least[group])
