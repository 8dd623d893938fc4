"""The operators' view of the sandbox processor, where they play the card's owner, the bank and the card network."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin import LookOnly
from marketplace.common.clock import utc_now
from marketplace.ledger.gateways.faults import dice_of
from marketplace.ledger.gateways.sandbox_engine import disputes, refunds
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_models import SandboxDelivery, SandboxDispute, SandboxPayment, SandboxRefund


class Played(LookOnly):
    """Rows of the sandbox: an operator lets things happen to them, and writes nothing in them."""

    search_fields = ("public_id__exact",)
    show_full_result_count = False

    def has_play_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"ledger.change_{self.opts.model_name}"))

    def play(self, request: HttpRequest, rows: QuerySet[Any], act: Callable[..., object], **how: Any) -> None:
        """`act` on each row in a transaction of its own; what the sandbox refuses is said."""
        for row in rows:
            try:
                with transaction.atomic():
                    act(**{self.opts.model_name.removeprefix("sandbox"): row}, **how, **_now())
            except Refused as refusal:
                self.message_user(request, f"{row.public_id}: {refusal}", messages.ERROR)


@admin.register(SandboxPayment)
class SandboxPaymentAdmin(Played):
    list_display = ("public_id", "created_at", "asset", "amount", "captured", "refunded", "status", "outcome", "reason")
    list_filter = ("status", "outcome", "asset", "created_at")
    actions = ("dispute", "inquire")

    @admin.action(description=_("Dispute as the card's owner"), permissions=["play"])
    def dispute(self, request: HttpRequest, queryset: QuerySet[SandboxPayment]) -> None:
        self.play(request, queryset, disputes.open_dispute)

    @admin.action(description=_("Ask about it as the card's owner"), permissions=["play"])
    def inquire(self, request: HttpRequest, queryset: QuerySet[SandboxPayment]) -> None:
        self.play(request, queryset, disputes.open_dispute, inquiry=True)


@admin.register(SandboxRefund)
class SandboxRefundAdmin(Played):
    list_display = ("public_id", "created_at", "payment", "amount", "status", "reason")
    list_filter = ("status", "created_at")
    list_select_related = ("payment",)
    actions = ("send_back",)

    @admin.action(description=_("Send back as the bank"), permissions=["play"])
    def send_back(self, request: HttpRequest, queryset: QuerySet[SandboxRefund]) -> None:
        self.play(request, queryset, lambda refund, **when: refunds.fail_refund(refund=refund.public_id, **when))


@admin.register(SandboxDispute)
class SandboxDisputeAdmin(Played):
    list_display = ("public_id", "created_at", "payment", "amount", "status", "reason")
    list_filter = ("status", "created_at")
    list_select_related = ("payment",)
    actions = ("escalate", "win", "lose")

    @admin.action(description=_("Make a dispute of the inquiry"), permissions=["play"])
    def escalate(self, request: HttpRequest, queryset: QuerySet[SandboxDispute]) -> None:
        self.play(request, queryset, disputes.escalate)

    @admin.action(description=_("Decide for the market"), permissions=["play"])
    def win(self, request: HttpRequest, queryset: QuerySet[SandboxDispute]) -> None:
        self.play(request, queryset, disputes.close_dispute, won=True)

    @admin.action(description=_("Decide for the card's owner"), permissions=["play"])
    def lose(self, request: HttpRequest, queryset: QuerySet[SandboxDispute]) -> None:
        self.play(request, queryset, disputes.close_dispute, won=False)


@admin.register(SandboxDelivery)
class SandboxDeliveryAdmin(LookOnly):
    list_display = ("event", "due_at", "tries", "answered", "done_at", "given_up_at")
    list_filter = ("answered", "due_at")
    list_select_related = ("event",)
    search_fields = ("event__public_id__exact", "event__type")
    ordering = ("-pk",)
    show_full_result_count = False


def _now() -> dict[str, Any]:
    """What everything that happens at the sandbox is given."""
    return {"now": utc_now(), "dice": dice_of(settings.SANDBOX_FAULTS)}
