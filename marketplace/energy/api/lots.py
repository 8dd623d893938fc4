"""Certified energy over HTTP: what one holds of it, in which state each Wh is, and files of certificates."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import current_organization, organizations_of
from marketplace.common.clock import moment_of, rfc3339
from marketplace.common.errors import FieldProblem, InvalidParameter
from marketplace.common.etag import with_etag
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.energy.api.meters import ROLES, SCOPES, own_point
from marketplace.energy.api.receiving import PARSERS, TABLE, answer_of, table_of
from marketplace.energy.imports.evidence import CERTIFICATES, import_evidence
from marketplace.energy.models import CertificateLot, Scheme
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.states import LOT, SUPPLY

MOST = 1_000  # spans and entries that are shown of one lot
STATE = OpenApiParameter("state", enum=LOT.states)
KIND = OpenApiParameter("kind", enum=CERTIFICATES, description="what the file holds")
POINT = OpenApiParameter("point", description="the metering point that the certificates serve")


class ImportInput(serializers.Serializer[dict[str, Any]]):
    """What the file holds, and the metering point that its certificates serve."""

    kind = serializers.ChoiceField(CERTIFICATES)
    point = serializers.CharField(max_length=60)


def lot_as_json(lot: CertificateLot) -> dict[str, Any]:
    issued = lot.issuance
    return {
        "object": "certificate_lot",
        "id": lot.public_id,
        "state": lot.state,
        "reason": lot.reason or None,
        "what": "on-site meter record" if issued.scheme == Scheme.METER else "certificate",
        "scheme": issued.scheme,
        "registry": issued.registry,
        "issuance_id": issued.issuance_id,
        "serial": lot.serial_text or None,
        "wh_range": {"lower": lot.wh_range.lower, "upper": lot.wh_range.upper},
        "wh": {state: getattr(lot, f"{state}_wh") for state in SUPPLY},
        "point": lot.point.code if lot.point else None,
        "source": issued.source.public_id if issued.source else None,
        "device_id": issued.device_id,
        "technology": issued.technology,
        "release": issued.release,
        "zone": issued.zone.code,
        "market_boundary": issued.zone.market_boundary or issued.zone.code,
        "start": rfc3339(issued.start),
        "end": rfc3339(issued.end),
        "temporal_resolution": issued.temporal_resolution,
        "tradable": issued.tradable,
        "expires_at": rfc3339(issued.expires_at),
        "reviewed_at": rfc3339(lot.reviewed_at),
        "created_at": rfc3339(lot.created_at),
        "version": lot.version,
    }


def whole_lot_as_json(lot: CertificateLot) -> dict[str, Any]:
    """The lot with its spans from the lowest Wh on, and the moves that led there, the first ones first."""
    spans = lot.spans.order_by("wh_range")[:MOST]
    entries = lot.entries.order_by("pk")[:MOST]
    return lot_as_json(lot) | {
        "spans": [
            {"lower": each.wh_range.lower, "upper": each.wh_range.upper, "state": each.state,
             "subject": each.subject or None}
            for each in spans
        ],
        "entries": [
            {"lower": each.wh_range.lower, "upper": each.wh_range.upper, "from": each.from_state, "to": each.to_state,
             "subject": each.subject or None, "purpose": each.purpose or None,
             "beneficiary": each.beneficiary or None, "statement_ref": each.statement_ref or None,
             "at": rfc3339(each.at)}
            for each in entries
        ],
    }  # fmt: skip


def mine(request: Request) -> CertificateLotQuerySet:
    """The lots of the caller's organizations."""
    rows: CertificateLotQuerySet = CertificateLot.objects.of(organizations_of(request))
    return rows.select_related("issuance__zone", "issuance__source", "point")


class LotsView(APIView):
    """What the caller holds of certified energy."""

    scopes = SCOPES
    roles = ROLES
    parser_classes = [*PARSERS]

    @extend_schema(
        tags=["energy"], operation_id="certificate_lots_list", responses={200: dict}, parameters=[STATE, POINT]
    )
    def get(self, request: Request) -> Response:
        """Lots, newest first; of one `state` or for one `point` where those are named."""
        rows, state = mine(request), request.query_params.get("state")
        if state is not None and state not in LOT.states:
            problem = FieldProblem("state", "invalid_parameter", f"no such state {state}", ", ".join(LOT.states))
            raise InvalidParameter([problem])
        if state:
            rows = rows.filter(state=state)
        if "point" in request.query_params:
            rows = rows.filter(point=own_point(request, request.query_params["point"]))
        return paged(request, rows.order_by("-pk"), lot_as_json, now=moment_of(request))

    @extend_schema(tags=["energy"], request=TABLE, responses={201: dict, 200: dict}, parameters=[KIND, POINT, DRY_RUN])
    @rehearsable
    def post(self, request: Request) -> Response:
        """Import certificates: all of them, or nothing and every fault by line and heading.

        Lots wait for a reviewer (`pending`). `kind` and `point` may also be fields of the form.
        """
        fields = request.data if isinstance(request.data, Mapping) else {}
        named = {name: fields.get(name, request.query_params.get(name)) for name in ("kind", "point")}
        ask = parse(ImportInput, {name: value for name, value in named.items() if value is not None})
        now = moment_of(request)
        result = import_evidence(
            data=table_of(request), kind=ask["kind"], organization=current_organization(request),
            point=own_point(request, ask["point"], writes=True), now=now,
        )  # fmt: skip
        return answer_of(result, now=now)


class LotView(APIView):
    """One lot."""

    scopes = SCOPES

    @extend_schema(tags=["energy"], responses={200: dict})
    def get(self, request: Request, lot: str) -> Response:
        """The lot with the state of each of its Wh and the moves that led there."""
        row = mine(request).by_public_id(lot)
        return with_etag(Response(whole_lot_as_json(row)), row.version)
