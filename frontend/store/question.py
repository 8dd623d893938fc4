"""What the store's address asks: filters, need, order and view, and the links that change one thing of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from marketplace.catalog.filters import REQUEST, NearRequired, OfferFilter
from marketplace.catalog.latency import distance_km
from marketplace.catalog.models import Place, Site
from marketplace.common.errors import DomainError, FieldProblem, InvalidParameter, UnknownParameter
from marketplace.energy.zones import KNOWN_ZONES
from scheduler.search import SORTS, Need, need_of

WHENS = ("now", "balanced", "cheapest", "greenest")
VIEWS = ("list", "map")
FIRST_VISIT = {"units": "8", "hours": "6", "near": "shanghai"}
SHOWN_ONLY = ("view", "page", "sort")
# What a control says at rest; leaving it out means the same.
AT_REST = {
    "renewable_share__gte": ("0", "0.0", "0.00"),
    "sort": ("fit",),
    "view": ("list",),
    "when": ("balanced",),
    "page": ("1",),
}
USUAL_WEIGHTS = {"w_price": ["40"], "w_latency": ["20"], "w_green": ["40"]}


@dataclass(frozen=True, slots=True)
class Question:
    """One readable question; `query` has no empty values. `problems` are the parts that could not be used."""

    query: QueryDict
    filters: OfferFilter
    need: Need
    place: Place | None
    zone: str
    sort: str = "fit"
    view: str = "list"
    page: int = 1
    problems: tuple[FieldProblem, ...] = ()

    def link(self, **changes: object) -> str:
        """The address with `changes` (None drops a name, a list repeats it); a change leads back to page 1."""
        query = self.query.copy()
        if "page" not in changes:
            query.pop("page", None)
        for name, value in changes.items():
            if value is None:
                query.pop(name, None)
            else:
                query.setlist(name, [str(each) for each in (value if isinstance(value, list) else [value])])
        text = query.urlencode(safe=":,")
        return f"?{text}" if text else "/"

    def without(self, name: str, value: str) -> str:
        """The address without one value of a filter."""
        rest = [each for each in self.query.getlist(name) if each != value]
        return self.link(**{name: rest or None})

    @property
    def asked(self) -> dict[str, str]:
        """The need alone, for links to one offer: units, hours and place."""
        wanted = {"units": str(self.need.units), "hours": str(self.need.hours), "near": self.need.near or ""}
        return {name: value for name, value in wanted.items() if value}


def read(given: QueryDict) -> Question:
    """The question of an address. What cannot be used is left out and named in `problems`, with its mend."""
    query, problems = _clean(given), []
    first = not any(name for name in given if name not in SHOWN_ONLY)
    if first:
        _fill(query)
    need = filters = None
    while need is None or filters is None:
        try:
            filters = OfferFilter.read(query)
            need = need_of(filters, when=_one_of(query, "when", WHENS, "balanced"))
        except (InvalidParameter, UnknownParameter, NearRequired) as error:
            faults = _problems(error)
            problems += faults
            for each in faults:
                query.pop(each.pointer, None)
    place = Place.objects.filter(slug=need.near).first() if need.near else None
    return Question(
        query=query, filters=filters, need=need, place=place, zone=timezone_of(place),
        sort=_one_of(query, "sort", [*SORTS, *(f"-{name}" for name in SORTS)], "fit"),
        view=_one_of(query, "view", VIEWS, "list"), page=_page(query), problems=tuple(problems),
    )  # fmt: skip


def _clean(given: QueryDict) -> QueryDict:
    """Without repeats, empty values and controls at rest; `accelerator=A,B` is two accelerators."""
    query = QueryDict(mutable=True)
    for name, values in given.lists():
        parts = ",".join(values).split(",") if name == "accelerator" else values
        kept = dict.fromkeys(value for value in parts if value.strip() and value not in AT_REST.get(name, ()))
        if kept:
            query.setlist(name, list(kept))
    if all(query.getlist(name) == usual for name, usual in USUAL_WEIGHTS.items()):
        for name in USUAL_WEIGHTS:
            del query[name]
    return query


def _fill(query: QueryDict) -> None:
    """A first visit asks for something, so that the shelf is not empty of meaning."""
    for name, value in FIRST_VISIT.items():
        query[name] = value
    if not Place.objects.filter(slug=query["near"]).exists():
        del query["near"]


def _problems(error: DomainError) -> list[FieldProblem]:
    """What to leave out, by the names of the address."""
    if isinstance(error, InvalidParameter):
        known = [each for each in error.problems if each.pointer]
        weights = [replace(known[0], pointer=name) for name in ("w_latency", "w_green")]
        return known + weights if known[0].pointer == "w_price" else known
    if isinstance(error, UnknownParameter):
        return [FieldProblem(error.facts["name"], error.code, _("there is no such filter"), error.hint)]
    return [FieldProblem("latency_ms__lte", error.code, _("latency needs a place to count from"), _("choose a place"))]


def _one_of(query: Mapping[str, str], name: str, known: Iterable[str], default: str) -> str:
    value = query.get(name, default)
    return value if value in known else default


def _page(query: Mapping[str, str]) -> int:
    text = query.get("page", "1")
    return max(1, int(text)) if text.isdigit() and len(text) < 6 else 1


def timezone_of(place: Place | None) -> str:
    """The time zone of the known grid zone nearest to a place; UTC without a place."""
    if place is None:
        return "UTC"
    here = (place.latitude, place.longitude)
    return min(KNOWN_ZONES, key=lambda zone: distance_km(here, (zone.latitude, zone.longitude))).timezone


def is_filter(name: str) -> bool:
    """Whether a name of the address limits offers, and does not merely shape the question."""
    return name in OfferFilter.base_filters and name not in REQUEST


def in_chinese() -> bool:
    """Whether the reader reads Chinese."""
    return (get_language() or "en").startswith("zh")


def place_name(place: Place | None) -> str:
    """A place in the reader's language; empty without one."""
    if place is None:
        return ""
    return (place.name_zh if in_chinese() else "") or place.name


def locality_of(site: Site) -> str:
    """Where a site is, in the reader's language."""
    return (site.locality_zh if in_chinese() else "") or site.locality


def moment_in(text: str) -> datetime | None:
    """An aware time from an address; None when it is none."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
