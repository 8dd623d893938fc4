"""Objections to charges over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import organizations_of
from marketplace.booking import disputing
from marketplace.booking.models import ChargeLine, UsageDispute
from marketplace.booking.models.disputes import REASONS
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable


class DisputeInput(serializers.Serializer[dict[str, Any]]):
    """Which charge, and what is wrong with it."""

    charge_line = serializers.CharField(max_length=40)
    reason = serializers.ChoiceField(choices=REASONS)
    text = serializers.CharField(max_length=1000, allow_blank=True, default="")


def dispute_as_json(dispute: UsageDispute) -> dict[str, Any]:
    """The objection and what became of it."""
    return {
        "object": "dispute",
        "id": dispute.public_id,
        "charge_line": dispute.line.public_id,
        "state": dispute.state,
        "reason": dispute.reason,
        "text": dispute.text,
        "decision": dispute.decision or None,
        "credit_minor": dispute.credit.amount_minor if dispute.credit else 0,
        "currency": dispute.line.contract.currency,
        "created_at": rfc3339(dispute.created_at),
        "decided_at": rfc3339(dispute.decided_at),
    }


class DisputesView(APIView):
    """List objections and make one."""

    scopes = {"GET": "usage:read", "POST": "usage:write"}

    @extend_schema(tags=["disputes"], operation_id="disputes_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """The caller's objections, newest first."""
        mine = UsageDispute.objects.of_buyers(organizations_of(request))
        return paged(request, mine.select_related("line__contract", "credit"), dispute_as_json, now=utc_now())

    @extend_schema(tags=["disputes"], request=DisputeInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent()
    def post(self, request: Request) -> Response:
        """Object to a charge before it matures; the provider is not paid for it until an operator has decided."""
        ask = parse(DisputeInput, request.data)
        lines = ChargeLine.objects.of_buyers(organizations_of(request)).select_related("contract__buyer")
        line = lines.by_public_id(ask["charge_line"])
        dispute = disputing.open_dispute(
            line=line, buyer=line.contract.buyer, reason=ask["reason"], text=ask["text"], now=utc_now()
        )
        return Response(dispute_as_json(dispute), status=201)
