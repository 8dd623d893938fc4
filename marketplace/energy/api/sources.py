"""Plants, stores and contracts over HTTP, and which part of them serves which metering point."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import current_organization, organizations_of
from marketplace.common.clock import moment_of, rfc3339
from marketplace.common.etag import require_match, with_etag
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.common.units import PPM
from marketplace.energy import sources
from marketplace.energy.api.meters import ROLES, SCOPES, own_point, zone_named
from marketplace.energy.models import EnergySource, SourceKind, SourceShare, Technology

MOST_W = 10**12


class SourceChanges(serializers.Serializer[dict[str, Any]]):
    """What of a source can change; measures only while nobody has verified them."""

    name = serializers.CharField(max_length=80)
    capacity_w = serializers.IntegerField(min_value=1, max_value=MOST_W)
    efficiency_ppm = serializers.IntegerField(min_value=1, max_value=PPM)
    commissioned_on = serializers.DateField()
    certificates_sold = serializers.BooleanField()


class SourceInput(serializers.Serializer[dict[str, Any]]):
    """A new source, as its owner declares it."""

    device_id = serializers.RegexField(r"\A[\w .:-]+\Z", max_length=60)
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(SourceKind.values)
    technology = serializers.ChoiceField(Technology.values)
    capacity_w = serializers.IntegerField(min_value=1, max_value=MOST_W)
    efficiency_ppm = serializers.IntegerField(min_value=1, max_value=PPM, allow_null=True, default=None)
    zone = serializers.CharField(max_length=20)
    commissioned_on = serializers.DateField()
    certificates_sold = serializers.BooleanField(default=False)


class ShareInput(serializers.Serializer[dict[str, Any]]):
    """The slice [lower_ppm, upper_ppm) of a source that serves a metering point in [start, end)."""

    point = serializers.CharField(max_length=60)
    lower_ppm = serializers.IntegerField(min_value=0, max_value=PPM, default=0)
    upper_ppm = serializers.IntegerField(min_value=0, max_value=PPM, default=PPM)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True, default=None)
    contract_ref = serializers.CharField(max_length=80, allow_blank=True, default="")


def source_as_json(source: EnergySource) -> dict[str, Any]:
    return {
        "object": "energy_source",
        "id": source.public_id,
        "device_id": source.device_id,
        "name": source.name,
        "kind": source.kind,
        "technology": source.technology,
        "capacity_w": source.capacity_w,
        "efficiency_ppm": source.efficiency_ppm,
        "zone": source.zone.code,
        "commissioned_on": source.commissioned_on.isoformat(),
        "certificates_sold": source.certificates_sold,
        "evidence": source.evidence,
        "verified_at": rfc3339(source.verified_at),
        "review_reason": source.review_reason or None,
        "shares": [share_as_json(share) for share in source.shares.all()],
        "version": source.version,
        "sample": source.sample,
        "created_at": rfc3339(source.created_at),
    }


def share_as_json(share: SourceShare) -> dict[str, Any]:
    return {
        "object": "source_share",
        "point": share.point.code,
        "lower_ppm": share.slice.lower,
        "upper_ppm": share.slice.upper,
        "start": rfc3339(share.valid.lower),
        "end": rfc3339(share.valid.upper),
        "contract_ref": share.contract_ref or None,
    }


def own_source(request: Request, source: str, *, writes: bool = False) -> EnergySource:
    """The source of one of the caller's organizations (to write: of the one acted for), or NotFound."""
    mine = [current_organization(request)] if writes else organizations_of(request)
    rows = EnergySource.objects.of(mine).select_related("zone", "organization").prefetch_related("shares__point")
    return rows.by_public_id(source)


class SourcesView(APIView):
    """The caller's sources."""

    scopes = SCOPES
    roles = ROLES

    @extend_schema(tags=["energy"], operation_id="energy_sources_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Plants, stores and contracts, newest first."""
        rows = EnergySource.objects.of(organizations_of(request)).select_related("zone")
        rows = rows.prefetch_related("shares__point").order_by("-pk")
        return paged(request, rows, source_as_json, now=moment_of(request))

    @extend_schema(tags=["energy"], request=SourceInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request) -> Response:
        """A new source: declared, until an auditor has verified it."""
        ask = parse(SourceInput, request.data)
        zone = zone_named(ask.pop("zone"))
        row = sources.make_source(organization=current_organization(request), zone=zone, now=moment_of(request), **ask)
        return with_etag(Response(source_as_json(row), status=201), row.version)


class SourceView(APIView):
    """One source."""

    scopes = SCOPES
    roles = ROLES

    @extend_schema(tags=["energy"], responses={200: dict})
    def get(self, request: Request, source: str) -> Response:
        """The source, what is known of it, and whom it serves."""
        row = own_source(request, source)
        return with_etag(Response(source_as_json(row)), row.version)

    @extend_schema(tags=["energy"], request=SourceChanges, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def patch(self, request: Request, source: str) -> Response:
        """New words or measures; what was verified stays as it is. Needs If-Match."""
        row = own_source(request, source, writes=True)
        require_match(request, row.version)
        changes = parse(SourceChanges, request.data, partial=True)
        row = sources.change_source(source=row, changes=changes, version=row.version, now=moment_of(request))
        return with_etag(Response(source_as_json(row)), row.version)


class SharesView(APIView):
    """Which part of a source serves which metering point."""

    scopes = SCOPES
    roles = ROLES

    @extend_schema(tags=["energy"], request=ShareInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, source: str) -> Response:
        """Let a slice of the source serve a point; no part of a source is given twice at any time."""
        row = own_source(request, source, writes=True)
        ask = parse(ShareInput, request.data)
        point = own_point(request, ask.pop("point"), writes=True)
        share = sources.add_share(source=row, point=point, **ask)
        return Response(share_as_json(share), status=201)
