"""What is there: things by their id or by the key in their metadata, moves and events by time."""

from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from marketplace.ledger.gateways import sandbox_models as models
from marketplace.ledger.gateways.sandbox_engine import shapes
from marketplace.ledger.gateways.sandbox_engine.refusals import no_such

SHAPES: dict[type[Model], Any] = {
    models.SandboxSession: shapes.session, models.SandboxPayment: shapes.payment, models.SandboxRefund: shapes.refund,
    models.SandboxPayee: shapes.payee, models.SandboxTransfer: shapes.transfer, models.SandboxReversal: shapes.reversal,
    models.SandboxDispute: shapes.dispute, models.SandboxPayout: shapes.payout, models.SandboxMethod: shapes.method,
}  # fmt: skip
JOINED = {
    models.SandboxSession: ("payment",), models.SandboxRefund: ("payment",), models.SandboxTransfer: ("payee",),
    models.SandboxReversal: ("transfer",), models.SandboxDispute: ("payment",),
}  # fmt: skip


def rows_of(model: type[Model]) -> QuerySet[Any]:
    """Its rows with what their shape needs, the newest first as Stripe lists them."""
    rows: QuerySet[Any] = model._default_manager.order_by("-pk")
    return rows.select_related(*JOINED[model]) if model in JOINED else rows


def thing(model: type[Model], name: str) -> shapes.Shape:
    """The shape of the thing with this id. Raises Refused where there is none."""
    row = rows_of(model).filter(public_id=name).first()
    if row is None:
        raise no_such(model.__name__.removeprefix("Sandbox").lower(), name)
    shape: shapes.Shape = SHAPES[model](row)
    return shape


def session_of(payment: str) -> shapes.Shape | None:
    """The page that the payment was made on."""
    row = rows_of(models.SandboxSession).filter(payment__public_id=payment).first()
    return shapes.session(row) if row else None


def made_with(model: type[Model], metadata: dict[str, str]) -> str | None:
    """The id of what has this in its metadata."""
    row = rows_of(model).filter(metadata__contains=metadata).first()
    return row.public_id if row else None


def moves(start: datetime, end: datetime) -> list[shapes.Shape]:
    """The balance transactions of [start, end), the oldest first; a charge is shown with its payment."""
    rows = list(models.SandboxMove.objects.filter(created_at__gte=start, created_at__lt=end).order_by("pk"))
    charges = [row.source for row in rows if row.kind == "charge"]
    paid = {each.charge: each for each in models.SandboxPayment.objects.filter(charge__in=charges)}
    return [shapes.transaction(row, _charge(paid.get(row.source))) for row in rows]


def _charge(payment: models.SandboxPayment | None) -> shapes.Shape | None:
    return {"id": payment.charge, "object": "charge", "payment_intent": payment.public_id} if payment else None


def events(start: datetime) -> list[shapes.Shape]:
    """What happened from `start` on, the oldest first."""
    return [shapes.event(row) for row in models.SandboxEvent.objects.filter(created_at__gte=start).order_by("pk")]
