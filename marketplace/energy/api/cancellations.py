"""A registry's statement that certificates were cancelled, told over HTTP by whoever holds the lot."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import organizations_of
from marketplace.common.clock import utc_now
from marketplace.common.errors import NotFound
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.energy.models import CertificateLot
from marketplace.energy.models.supply import MOST_WH
from marketplace.energy.receipts.statements import Statement, confirm_cancellation


class CancellationInput(serializers.Serializer[dict[str, Any]]):
    """For which job or reservation, which Wh of the lot (the end is not included), and what the registry wrote."""

    subject = serializers.CharField(max_length=40)
    from_wh = serializers.IntegerField(min_value=0, max_value=MOST_WH)
    to_wh = serializers.IntegerField(min_value=1, max_value=MOST_WH)
    beneficiary = serializers.CharField(max_length=120)
    reference = serializers.CharField(max_length=120)


class CancellationsView(APIView):
    """Cancellations of a lot."""

    scopes = {"POST": "energy:write"}

    @extend_schema(
        tags=["certificate_lots"], operation_id="certificate_lots_cancel", request=CancellationInput,
        responses={201: dict}, parameters=[DRY_RUN],
    )  # fmt: skip
    @rehearsable
    @idempotent()
    def post(self, request: Request, lot: str) -> Response:
        """The registry cancelled exactly what was reserved here; other Wh are refused, the expected ones named.

        With the last statement of a job or reservation its receipt becomes final.
        """
        ask = parse(CancellationInput, request.data)
        held = CertificateLot.objects.of(organizations_of(request)).filter(public_id=lot).select_related("holder")
        row = held.first()
        if row is None:
            raise NotFound(f"there is no certificate lot {lot}")
        statement = Statement(row, ask["from_wh"], ask["to_wh"], ask["beneficiary"], ask["reference"])
        wh = confirm_cancellation(holder=row.holder, subject=ask["subject"], statements=[statement], now=utc_now())
        body = {"object": "cancellation", "lot": row.public_id, **ask, "wh": wh}
        return Response(body, status=201)
