"""The shelf over HTTP: ranked offers, their calendars, and what a provider may change."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role
from accounts.tenancy import organizations_of
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import ensure_capacity
from marketplace.catalog import services
from marketplace.catalog.filters import OfferFilter
from marketplace.catalog.models import HardwareClass, Offer, Place, Site
from marketplace.catalog.offerview import hardware_as_json, offer_as_json, place_as_json, site_as_json
from marketplace.catalog.querysets import OfferQuerySet
from marketplace.common.clock import HOUR, hour_floor, rfc3339, utc_now
from marketplace.common.errors import FieldProblem, InvalidParameter, NotFound
from marketplace.common.etag import require_match, with_etag
from marketplace.common.paging import list_answer, page_of_list, paged, read_ask
from marketplace.common.parsing import parse
from marketplace.energy.services import hours_of
from scheduler.search import Row, facets, need_of, search
from scheduler.searchview import row_as_json
from scheduler.snapshot import hourly_prices

DAYS_AHEAD = 16
WHENS = ("now", "balanced", "cheapest", "greenest")


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


class RatesInput(serializers.Serializer[dict[str, Any]]):
    """New rates by hour of the UTC week ("0" is Monday 00:00)."""

    rates_mm = serializers.DictField(child=serializers.IntegerField(min_value=0), allow_empty=False)


def visible(request: Request) -> OfferQuerySet:
    """What is on the shelf, and the caller's own offers in any state."""
    rows = Offer.objects.with_shelf()
    own = rows.of_providers(organizations_of(request)) if request.user.is_authenticated or request.auth else None
    return rows.live() | own if own is not None else rows.live()


def own(request: Request, offer: str) -> Offer:
    """The caller's own offer, or NotFound."""
    return Offer.objects.with_shelf().of_providers(organizations_of(request)).by_public_id(offer)


class OffersView(APIView):
    """The shelf."""

    public = True

    @extend_schema(
        tags=["offers"], operation_id="offers_list", responses={200: dict},
        parameters=[OpenApiParameter(name) for name in ("units", "hours", "near", "sort", "when", "facets")],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Offers that fit, ranked by cost for the stated need; `facets=1` adds counts."""
        now = utc_now()
        query = OfferFilter.read(request.query_params)
        when = request.query_params.get("when", "balanced")
        if when not in WHENS:
            detail = f"no such preference {when}"
            raise InvalidParameter([FieldProblem("when", "invalid_parameter", detail, ", ".join(WHENS))])
        provider = request.query_params.get("provider")
        if provider and provider in {each.public_id for each in _organizations(request)}:
            rows = Offer.objects.with_shelf().of_providers(_organizations(request))
            return paged(request, rows, lambda offer: offer_as_json(offer, now), now=now)
        result = search(need=need_of(query, when=when), now=now, sort=request.query_params.get("sort", "fit"))
        page = page_of_list(list(result.rows), read_ask(request.query_params), id_of=lambda row: row.offer.public_id)
        extra: dict[str, Any] = {"rejected": dict(result.rejected), "relax": list(result.relax)}
        if request.query_params.get("facets") == "1":
            extra["facets"] = facets(result)

        def as_json(row: Row) -> dict[str, Any]:
            return row_as_json(row, result.need.units, now)

        return list_answer(request, page, as_json, now=now, considered=result.considered, **extra)


def _organizations(request: Request) -> list[Any]:
    return organizations_of(request) if request.user.is_authenticated or request.auth else []


class NewOfferView(APIView):
    """Put a draft on record."""

    scopes = {"POST": "offers:write"}
    roles = {"POST": (Role.PROVIDER,)}

    @extend_schema(tags=["offers"], request=OfferInput, responses={201: dict})
    def post(self, request: Request) -> Response:
        """A draft at one of the caller's sites, with capacity for the coming days."""
        now = utc_now()
        ask = parse(OfferInput, request.data)
        site = Site.objects.of_providers(organizations_of(request)).by_public_id(ask.pop("site"))
        hardware = HardwareClass.objects.filter(slug=ask.pop("hardware")).first()
        if hardware is None:
            slugs = ", ".join(HardwareClass.objects.order_by("slug").values_list("slug", flat=True))
            raise NotFound("there is no such hardware class", hint=slugs)
        offer = services.create_offer(site=site, hardware=hardware, now=now, **ask)
        ensure_capacity(offer=offer, first=now.date(), days=DAYS_AHEAD)
        return with_etag(Response(offer_as_json(own(request, offer.public_id), now), status=201), offer.version)


class OfferView(APIView):
    """One offer."""

    public = True

    @extend_schema(tags=["offers"], responses={200: dict})
    def get(self, request: Request, offer: str) -> Response:
        """The offer with its site, hardware and terms."""
        row = visible(request).by_public_id(offer)
        return with_etag(Response(offer_as_json(row, utc_now())), row.version)


class OfferRatesView(APIView):
    """An offer's prices."""

    scopes = {"PATCH": "offers:write"}
    roles = {"PATCH": (Role.PROVIDER,)}

    @extend_schema(tags=["offers"], request=RatesInput, responses={200: dict})
    def patch(self, request: Request, offer: str) -> Response:
        """New rates for some hours of the week; contracts keep theirs. Needs If-Match."""
        row = own(request, offer)
        require_match(request, row.version)
        given = parse(RatesInput, request.data)["rates_mm"]
        rates = {int(hour): rate for hour, rate in given.items() if hour.isdigit()}
        row = services.reprice_hours(offer=row, rates_mm=rates, version=row.version, now=utc_now())
        return with_etag(Response(offer_as_json(row, utc_now())), row.version)


class OfferStateView(APIView):
    """Publish, pause or retire an offer."""

    scopes = {"POST": "offers:write"}
    roles = {"POST": (Role.PROVIDER,)}
    verb = ""

    @extend_schema(tags=["offers"], request=None, responses={200: dict})
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
        field = serializers.IntegerField(min_value=1, max_value=14)
        days = int(field.run_validation(request.query_params.get("days", "7")))
        row = visible(request).by_public_id(offer)
        hours = calendar_of(row, days * 24)
        return Response({"object": "calendar", "offer": row.public_id, "hours": hours})


def calendar_of(offer: Offer, hours: int) -> list[dict[str, Any]]:
    """`hours` hours of `offer` from the running one: rates in mm, shares in ppm, intensity in mg/kWh, units free."""
    now = utc_now()
    first = hour_floor(now)
    zone = hours_of(zones=[offer.site.zone], start=first, hours=hours, now=now).zone(offer.site.zone)
    days = (first + timedelta(hours=hours)).date()
    rows = CapacityDay.objects.filter(offer=offer, day__range=(first.date(), days))
    free = {(row.day, hour): row.units_total[hour] - row.units_promised[hour] for row in rows for hour in range(24)}
    prices = hourly_prices(offer, first, hours)
    answer = []
    for number in range(hours):
        start = first + number * HOUR
        answer.append({
            "start": rfc3339(start), "unit_price_mm": prices[number], "renewable_share_ppm": zone.renewable_ppm[number],
            "carbon_mg_per_kwh": zone.lifecycle_mg[number], "free": free.get((start.date(), start.hour), 0),
            "quality": zone.quality(number), "forecast": zone.forecast[number],
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
