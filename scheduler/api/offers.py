"""The shelf over HTTP: ranked offers, their calendars, and what a provider may change."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django_filters import MultipleChoiceFilter
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role
from accounts.permissions import ScopedPermission
from accounts.tenancy import current_organization, organizations_of
from marketplace.booking.greenhours import green_hours_at
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import ensure_capacity
from marketplace.catalog import services
from marketplace.catalog.filters import AnyOf, OfferFilter
from marketplace.catalog.models import HardwareClass, Offer, Place, Site, Term, Tier
from marketplace.catalog.offerview import hardware_as_json, offer_as_json, place_as_json, site_as_json
from marketplace.catalog.querysets import OfferQuerySet
from marketplace.common.clock import HOUR, hour_floor, rfc3339, utc_now
from marketplace.common.errors import FieldProblem, InvalidParameter, NotFound, ValidationFailed
from marketplace.common.etag import require_match, with_etag
from marketplace.common.paging import list_answer, page_of_list, paged, read_ask
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.energy.outlookview import outlook_as_json
from scheduler.search import SORTS, Row, facets, need_of, search
from scheduler.searchview import row_as_json
from scheduler.snapshot import hourly_prices
from scheduler.withdrawing import change_units

DAYS_AHEAD = 16
MOST_DAYS = 14
WHENS = ("now", "balanced", "cheapest", "greenest")
BY_THE_HOUR = "by_the_hour"  # the method of filters that only a ranking decides
TIMES = {"start_after": "start__gte", "finish_by": "finish__lte"}  # a way out's words: those of the query
QUERY = [
    OpenApiParameter(name, many=isinstance(each, (AnyOf, MultipleChoiceFilter)))
    for name, each in OfferFilter.base_filters.items()
] + [
    OpenApiParameter("when", enum=WHENS),
    OpenApiParameter("sort", enum=[*SORTS, *(f"-{name}" for name in SORTS)]),
    OpenApiParameter("facets", enum=["1"]),
    *(OpenApiParameter(name) for name in ("limit", "starting_after", "ending_before")),
]


class OfferChanges(serializers.Serializer[dict[str, Any]]):
    """What of an offer can change at any time; rates have their own address."""

    title = serializers.CharField(max_length=80)
    description = serializers.CharField(max_length=400, allow_blank=True)
    tier = serializers.ChoiceField(Tier.choices)
    term = serializers.ChoiceField(Term.choices)
    electricity_mm_per_kwh = serializers.IntegerField(min_value=0)
    notice_s = serializers.IntegerField(min_value=0)
    boot_s = serializers.IntegerField(min_value=0)
    network = serializers.BooleanField(source="egress")
    units = serializers.IntegerField(min_value=1, max_value=100_000)


class OfferInput(serializers.Serializer[dict[str, Any]]):
    """A new offer."""

    site = serializers.CharField(max_length=40)
    hardware = serializers.CharField(max_length=50)
    title = serializers.CharField(max_length=80)
    units = serializers.IntegerField(min_value=1, max_value=100_000)
    rate_mm = serializers.IntegerField(min_value=1)
    tier = serializers.CharField(max_length=14, default="firm")
    term = serializers.CharField(max_length=10, default="on_demand")
    electricity_mm_per_kwh = serializers.IntegerField(min_value=0, default=0)
    notice_s = serializers.IntegerField(min_value=0, default=120)
    boot_s = serializers.IntegerField(min_value=0, default=60)
    network = serializers.BooleanField(source="egress", default=False)
    description = serializers.CharField(max_length=400, allow_blank=True, default="")
    twin = serializers.CharField(max_length=40, allow_null=True, default=None)


class RatesInput(serializers.Serializer[dict[str, Any]]):
    """New rates by hour of the UTC week ("0" is Monday 00:00)."""

    rates_mm = serializers.DictField(child=serializers.IntegerField(min_value=0), allow_empty=False)


def visible(request: Request) -> OfferQuerySet:
    """What is on the shelf, and the caller's own offers in any state."""
    rows = Offer.objects.with_shelf()
    own = rows.of_providers(organizations_of(request)) if request.user.is_authenticated or request.auth else None
    return rows.live() | own if own is not None else rows.live()


def own(request: Request, offer: str) -> Offer:
    """The offer of the organization that the caller acts for, and has the role in; or NotFound."""
    return Offer.objects.with_shelf().of_providers([current_organization(request)]).by_public_id(offer)


class ReadByAll(ScopedPermission):
    """Strangers may read; whoever writes needs the scope and the role that the view names."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """True, or AuthError (401), ScopeMissing or RoleMissing (403)."""
        return request.method in SAFE_METHODS or super().has_permission(request, view)


class OffersView(APIView):
    """The shelf, and new offers on it."""

    permission_classes = [ReadByAll]
    scopes = {"GET": "offers:read", "POST": "offers:write"}
    roles = {"POST": (Role.PROVIDER,)}

    @extend_schema(tags=["offers"], operation_id="offers_list", responses={200: dict}, parameters=QUERY)
    def get(self, request: Request) -> Response:
        """Offers that fit, ranked by cost for the stated need; `facets=1` adds counts.

        A provider who names their own organization as `provider` sees their offers in every state, not ranked.
        """
        now = utc_now()
        query = OfferFilter.read(request.query_params)
        when = request.query_params.get("when", "balanced")
        if when not in WHENS:
            detail = f"no such preference {when}"
            raise InvalidParameter([FieldProblem("when", "invalid_parameter", detail, ", ".join(WHENS))])
        named = set(request.query_params.getlist("provider"))
        if named and named <= {each.public_id for each in organizations_of(request)}:
            return paged(request, own_shelf(query), lambda offer: offer_as_json(offer, now), now=now)
        result = search(need=need_of(query, when=when), now=now, sort=request.query_params.get("sort", "fit"))
        page = page_of_list(list(result.rows), read_ask(request.query_params), id_of=lambda row: row.offer.public_id)
        ways = [dict(way) | {"query": followed(request, way["changes"])} for way in result.relax]
        extra: dict[str, Any] = {"rejected": dict(result.rejected), "relax": ways}
        if request.query_params.get("facets") == "1":
            extra["facets"] = facets(result)

        def as_json(row: Row) -> dict[str, Any]:
            return row_as_json(row, result.need.units, now)

        return list_answer(request, page, as_json, now=now, considered=result.considered, **extra)

    @extend_schema(tags=["offers"], request=OfferInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request) -> Response:
        """A draft at one of the caller's sites, with capacity for the coming days."""
        now = utc_now()
        ask = parse(OfferInput, request.data)
        site = Site.objects.of_providers([current_organization(request)]).by_public_id(ask.pop("site"))
        hardware = HardwareClass.objects.filter(slug=ask.pop("hardware")).first()
        if hardware is None:
            slugs = ", ".join(HardwareClass.objects.order_by("slug").values_list("slug", flat=True))
            raise NotFound("there is no such hardware class", hint=slugs)
        twin = ask.pop("twin")
        offer = services.create_offer(
            site=site, hardware=hardware, now=now, twin=own(request, twin) if twin else None, **ask
        )
        ensure_capacity(offer=offer, first=now.date(), days=DAYS_AHEAD)
        return with_etag(Response(offer_as_json(own(request, offer.public_id), now), status=201), offer.version)


def own_shelf(query: OfferFilter) -> OfferQuerySet:
    """A provider's own offers in every state that the filters keep, newest first.

    Raises InvalidParameter for a filter that only a ranking over hours can decide, since a draft has none.
    """
    hourly = [name for name in query.limits() if query.filters[name].method == BY_THE_HOUR]
    if hourly:
        detail = "your own offers are listed in every state, without hours to check"
        hint = "leave it out, or leave out provider"
        raise InvalidParameter([FieldProblem(name, "invalid_parameter", detail, hint) for name in hourly])
    rows: OfferQuerySet = query.filter_queryset(Offer.objects.with_shelf())
    return rows


def followed(request: Request, changes: Mapping[str, Any]) -> str:
    """The query string with `changes` made: the same question, loosened."""
    query = request.query_params.copy()
    for cursor in ("starting_after", "ending_before"):
        query.pop(cursor, None)
    for name, value in changes.items():
        asked = TIMES.get(name, name)
        if value is None:
            query.pop(asked, None)
        else:
            query.setlist(asked, [str(each) for each in (value if isinstance(value, list) else [value])])
    return query.urlencode(safe=":,")


class OfferView(APIView):
    """One offer."""

    permission_classes = [ReadByAll]
    scopes = {"GET": "offers:read", "PATCH": "offers:write"}
    roles = {"PATCH": (Role.PROVIDER,)}

    @extend_schema(tags=["offers"], responses={200: dict})
    def get(self, request: Request, offer: str) -> Response:
        """The offer with its site, hardware and terms, the shares to expect of it and what was settled at its site."""
        row = visible(request).by_public_id(offer)
        return with_etag(Response(offer_as_json(row, utc_now()) | outlook_as_json(row.public_id)), row.version)

    @extend_schema(tags=["offers"], request=OfferChanges, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    @transaction.atomic
    def patch(self, request: Request, offer: str) -> Response:
        """New words and terms; promises already made keep theirs. Needs If-Match.

        Fewer `units` than interruptible work was promised: as much of it as must is told to end within its notice.
        """
        row, now = own(request, offer), utc_now()
        require_match(request, row.version)
        changes = parse(OfferChanges, request.data, partial=True)
        units = changes.pop("units", None)
        if units is not None:
            row = change_units(offer=row, units=units, version=row.version, now=now)
        if changes or units is None:
            row = services.change_offer(offer=row, changes=changes, version=row.version, now=now)
        return with_etag(Response(offer_as_json(row, utc_now())), row.version)


class OfferRatesView(APIView):
    """An offer's prices."""

    scopes = {"PATCH": "offers:write"}
    roles = {"PATCH": (Role.PROVIDER,)}

    @extend_schema(tags=["offers"], request=RatesInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def patch(self, request: Request, offer: str) -> Response:
        """New rates for some hours of the week; contracts keep theirs. Needs If-Match."""
        row = own(request, offer)
        require_match(request, row.version)
        rates = hours_of_week(parse(RatesInput, request.data)["rates_mm"])
        row = services.reprice_hours(offer=row, rates_mm=rates, version=row.version, now=utc_now())
        return with_etag(Response(offer_as_json(row, utc_now())), row.version)


def hours_of_week(given: Mapping[str, int]) -> dict[int, int]:
    """Rates by hour as numbers; raises ValidationFailed for a name that is no hour."""
    wrong = [name for name in given if not (name.isascii() and name.isdigit())]
    if wrong:
        detail = "hours are named 0 to 167, from Monday 00:00 UTC on"
        raise ValidationFailed([FieldProblem(f"/rates_mm/{name}", "bad_value", detail, "0") for name in wrong])
    return {int(name): rate for name, rate in given.items()}


class OfferStateView(APIView):
    """Publish, pause or retire an offer."""

    scopes = {"POST": "offers:write"}
    roles = {"POST": (Role.PROVIDER,)}
    verb = ""

    @extend_schema(tags=["offers"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, offer: str) -> Response:
        """Needs If-Match."""
        row = own(request, offer)
        require_match(request, row.version)
        act = {"publish": services.publish_offer, "pause": services.pause_offer, "retire": services.retire_offer}
        row = act[self.verb](offer=row, now=utc_now())
        return with_etag(Response(offer_as_json(row, utc_now())), row.version)


class CalendarView(APIView):
    """An offer hour by hour."""

    public = True

    @extend_schema(tags=["offers"], parameters=[OpenApiParameter("days", int)], responses={200: dict})
    def get(self, request: Request, offer: str) -> Response:
        """Price, renewable share, carbon and free units of every hour for up to 14 days."""
        row = visible(request).by_public_id(offer)
        hours = calendar_of(row, days_asked(request) * 24)
        return Response({"object": "calendar", "offer": row.public_id, "hours": hours})


def days_asked(request: Request) -> int:
    """`days` of the query, a week unless told; raises InvalidParameter."""
    text = request.query_params.get("days", "7")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_DAYS):
        detail = f"days must be a whole number from 1 to {MOST_DAYS}"
        raise InvalidParameter([FieldProblem("days", "invalid_parameter", detail, "7")])
    return int(text)


def calendar_of(offer: Offer, hours: int) -> list[dict[str, Any]]:
    """`hours` hours of `offer` from the running one: rates in mm, shares in ppm, intensity in mg/kWh, units free."""
    now = utc_now()
    first = hour_floor(now)
    green = green_hours_at(site=offer.site, start=first, hours=hours, now=now)
    days = (first + timedelta(hours=hours)).date()
    free = CapacityDay.objects.free_by_hour(offer, first.date(), days)
    prices = hourly_prices(offer, first, hours)
    answer = []
    for number in range(hours):
        start = first + number * HOUR
        answer.append({
            "start": rfc3339(start), "unit_price_mm": prices[number],
            "renewable_share_ppm": green.renewable_ppm[number],
            "matched_share_ppm": None if green.unproven else green.careful_ppm[number],
            "matched_expected_ppm": green.matched_ppm[number], "grid_share_ppm": green.grid_ppm[number],
            "carbon_free_share_ppm": green.carbon_free_ppm[number],
            "carbon_mg_per_kwh": green.lifecycle_mg[number], "free": free.get((start.date(), start.hour), 0),
            "quality": green.quality(number), "forecast": green.forecast[number],
        })  # fmt: skip
    return answer


class PlacesView(APIView):
    """Places that latency is counted from."""

    public = True

    @extend_schema(tags=["offers"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Every place."""
        return paged(request, Place.objects.all(), place_as_json, now=utc_now())


class SitesView(APIView):
    """Where the machines stand."""

    public = True

    @extend_schema(tags=["offers"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Every site."""
        return paged(request, Site.objects.select_related("zone", "provider"), site_as_json, now=utc_now())


class HardwareClassesView(APIView):
    """What can be bought."""

    public = True

    @extend_schema(tags=["offers"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Every hardware class."""
        return paged(request, HardwareClass.objects.all(), hardware_as_json, now=utc_now())
