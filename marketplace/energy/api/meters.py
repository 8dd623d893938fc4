"""Metering points and what their meters said, over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role
from accounts.tenancy import current_organization, organizations_of
from marketplace.common.clock import moment_of, rfc3339
from marketplace.common.errors import FieldProblem, NotFound, ValidationFailed
from marketplace.common.paging import list_answer, page_of_list, read_ask
from marketplace.common.parsing import BoundedJSONParser, nearest, parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.common.units import PPM
from marketplace.energy import sources
from marketplace.energy.api.receiving import PARSERS, TABLE, answer_of, table_from, table_of
from marketplace.energy.imports.evidence import METER, import_evidence
from marketplace.energy.imports.grid import known_zones, zone_of
from marketplace.energy.models import GridZone, MeterPoint
from marketplace.energy.sitelabels import SiteLabel, label_of

SCOPES = {"GET": "energy:read", "POST": "energy:write", "PATCH": "energy:write"}
ROLES = {"POST": (Role.PROVIDER,), "PATCH": (Role.PROVIDER,)}
HIGHEST_PUE = 10 * PPM
FIRST_YEAR = 1990


class PointInput(serializers.Serializer[dict[str, Any]]):
    """A metering point: its code, grid zone, and the overhead that holds for hours without a meter's word."""

    code = serializers.RegexField(r"\A[\w .:-]+\Z", max_length=60)
    zone = serializers.CharField(max_length=20)
    pue_design_ppm = serializers.IntegerField(min_value=PPM, max_value=HIGHEST_PUE)
    water_ml_per_kwh = serializers.IntegerField(min_value=0, max_value=10**6, allow_null=True, default=None)
    hub_node = serializers.BooleanField(default=False)


class ReadingsInput(serializers.Serializer[dict[str, Any]]):
    """Rows under the headings of a meter's file, as objects."""

    rows = serializers.ListField(child=serializers.DictField(), allow_empty=False)


def point_as_json(point: MeterPoint) -> dict[str, Any]:
    return {
        "object": "meter_point",
        "id": point.code,
        "zone": point.zone.code,
        "pue_design_ppm": point.pue_design_ppm,
        "water_ml_per_kwh": point.water_ml_per_kwh,
        "hub_node": point.hub_node,
        "created_at": rfc3339(point.created_at),
    }


def own_point(request: Request, code: str, *, writes: bool = False) -> MeterPoint:
    """The point of one of the caller's organizations (to write: of the one acted for), or NotFound."""
    mine = [current_organization(request)] if writes else organizations_of(request)
    point = MeterPoint.objects.filter(organization__in=mine, code=code).select_related("zone").first()
    if point is None:
        raise NotFound(f"there is no metering point {code}")
    return point


def zone_named(code: str) -> GridZone:
    """The zone of a body's field `zone`; raises ValidationFailed."""
    known = known_zones()
    if code not in known:
        raise ValidationFailed([FieldProblem("/zone", "bad_value", "no such grid zone", nearest(code, sorted(known)))])
    return zone_of(code)


class PointsView(APIView):
    """The caller's metering points."""

    scopes = SCOPES
    roles = ROLES

    @extend_schema(tags=["energy"], operation_id="meter_points_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Every metering point, by code."""
        rows = MeterPoint.objects.filter(organization__in=organizations_of(request)).select_related("zone")
        page = page_of_list(list(rows.order_by("code")), read_ask(request.query_params), id_of=lambda row: row.code)
        return list_answer(request, page, point_as_json, now=moment_of(request))

    @extend_schema(tags=["energy"], request=PointInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request) -> Response:
        """A new metering point."""
        ask = parse(PointInput, request.data)
        zone = zone_named(ask.pop("zone"))
        point = sources.make_point(organization=current_organization(request), zone=zone, now=moment_of(request), **ask)
        return Response(point_as_json(point), status=201)


class PointView(APIView):
    """One metering point."""

    scopes = SCOPES

    @extend_schema(tags=["energy"], responses={200: dict})
    def get(self, request: Request, point: str) -> Response:
        """The metering point."""
        return Response(point_as_json(own_point(request, point)))


class PointLabelView(APIView):
    """What may be said of a site's year."""

    scopes = SCOPES

    @extend_schema(tags=["energy"], responses={200: dict})
    def get(self, request: Request, point: str, year: int) -> Response:
        """REF (ISO/IEC 30134-3) and the hub rule of a calendar year, volume-matched: never a claim by the hour."""
        row = own_point(request, point)
        if not FIRST_YEAR <= year <= moment_of(request).year:
            raise NotFound(f"no year {year} was metered", hint=f"{FIRST_YEAR} to {moment_of(request).year}")
        return Response(label_as_json(label_of(point=row, year=year), row))


def label_as_json(label: SiteLabel, point: MeterPoint) -> dict[str, Any]:
    return {
        "object": "site_label",
        "point": point.code,
        "year": label.year,
        "temporal_resolution": "year",
        "method": "volume-matched",
        "total_wh": label.total_wh,
        "retired_wh": label.retired_wh,
        "metered_hours": label.metered_hours,
        "ref_ppm": label.ref_ppm,
        "pue_ppm": label.pue_ppm,
        "hub_rule": label.hub,
    }


class ReadingsView(APIView):
    """What meters of points, plants and stores said."""

    scopes = SCOPES
    roles = ROLES
    parser_classes = [BoundedJSONParser, *PARSERS]

    @extend_schema(
        tags=["energy"], request={"application/json": ReadingsInput, **TABLE}, responses={201: dict, 200: dict},
        parameters=[DRY_RUN],
    )  # fmt: skip
    @rehearsable
    def post(self, request: Request) -> Response:
        """Import quarters or hours: all of them, or nothing and every fault by line and heading.

        Points: point, start_utc, minutes, it_wh, total_wh; plants and stores: device_id, start_utc, minutes, wh. Four
        quarters make an hour; nothing is filled in. The same bytes again give the first result.
        """
        of_rows = isinstance(request.data, dict) and "file" not in request.FILES
        data = table_from(parse(ReadingsInput, request.data)["rows"]) if of_rows else table_of(request)
        now = moment_of(request)
        result = import_evidence(data=data, kind=METER, organization=current_organization(request), now=now)
        return answer_of(result, now=now, of_rows=of_rows)
