"""The operators' view of the books and of what comes in and goes out.

Nobody changes rows by hand; a mistake is undone by a journal of its own, and what operators decide is done by services.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from accounts.admin import LookOnly
from marketplace.common.clock import utc_now
from marketplace.common.currencies import to_major, to_minor
from marketplace.common.errors import DomainError
from marketplace.ledger import payouts
from marketplace.ledger.hints import wake_outbox
from marketplace.ledger.models import (
    Account,
    AutoTopup,
    CardDispute,
    Entry,
    GatewayCall,
    Hold,
    Journal,
    JournalRequest,
    Payee,
    Payment,
    Payout,
    Refund,
    WebhookReceipt,
)


@admin.register(Account)
class AccountAdmin(LookOnly):
    list_display = ("public_id", "kind", "owner", "asset", "livemode", "amount")
    list_filter = ("kind", "asset", "livemode")
    list_select_related = ("owner",)
    search_fields = ("public_id__exact", "owner__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        rows: QuerySet[Account] = super().get_queryset(request).with_sum()
        return rows

    def amount(self, row: Account) -> int:
        """The balance in minor units, of every account the sum of its entries."""
        return int(row.summed)  # type: ignore[attr-defined]  # by get_queryset


@admin.register(Journal)
class JournalAdmin(LookOnly):
    list_display = ("public_id", "posted_at", "book", "kind", "ref", "livemode", "reverses", "actor")
    list_filter = ("book", "kind", "livemode", "posted_at")
    list_select_related = ("reverses",)
    search_fields = ("public_id__exact", "ref__exact")
    show_full_result_count = False


@admin.register(Entry)
class EntryAdmin(LookOnly):
    list_display = ("journal", "account", "owner", "amount", "asset", "livemode")
    list_filter = ("account__kind", "asset", "livemode")
    list_select_related = ("journal", "account__owner")
    search_fields = ("journal__public_id__exact", "journal__ref__exact", "account__public_id__exact")
    ordering = ("-pk",)
    show_full_result_count = False

    def owner(self, row: Entry) -> str:
        """Whose account it is; the operator's where it is nobody's."""
        return str(row.account.owner or "operator")


class MoneyAdmin(LookOnly):
    """Rows of money, found by their public id."""

    search_fields: tuple[str, ...] = ("public_id__exact",)
    show_full_result_count = False


@admin.register(Hold)
class HoldAdmin(MoneyAdmin):
    list_display = (
        "public_id", "organization", "purpose", "subject", "asset", "amount", "captured", "released", "state",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "purpose", "asset", "livemode")
    list_select_related = ("organization",)
    search_fields = ("public_id__exact", "subject__exact", "organization__name")


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = (
        "public_id", "organization", "state", "reason", "asset", "amount", "captured", "refunded", "automatic",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "gateway", "asset", "livemode", "automatic", "created_at")
    list_select_related = ("organization",)
    search_fields = ("public_id__exact", "intent__exact", "session__exact", "organization__name")
    exclude = ("url",)  # whoever has the address may pay on it


@admin.register(Refund)
class RefundAdmin(MoneyAdmin):
    list_display = ("public_id", "payment", "state", "reason", "amount", "reference", "created_at")
    list_filter = ("state", "created_at")
    list_select_related = ("payment",)
    search_fields = ("public_id__exact", "payment__public_id__exact", "reference__exact")


@admin.register(GatewayCall)
class GatewayCallAdmin(MoneyAdmin):
    list_display = ("uuid", "gateway", "op", "subject", "state", "tries", "next_try_at", "done_at", "error")
    list_filter = ("state", "op", "gateway", "created_at")
    search_fields = ("subject__exact",)
    ordering = ("-pk",)


@admin.register(WebhookReceipt)
class WebhookReceiptAdmin(MoneyAdmin):
    list_display = ("event", "gateway", "type", "object_id", "received_at", "applied_at", "tries", "error")
    list_filter = ("gateway", "type", "received_at")
    search_fields = ("event__exact", "object_id__exact")
    ordering = ("-pk",)


@admin.register(CardDispute)
class CardDisputeAdmin(MoneyAdmin):
    list_display = ("public_id", "payment", "state", "reason", "amount", "moved", "frozen", "created_at", "closed_at")
    list_filter = ("state", "created_at")
    list_select_related = ("payment",)
    search_fields = ("public_id__exact", "reference__exact", "payment__public_id__exact")


@admin.register(Payee)
class PayeeAdmin(MoneyAdmin):
    list_display = ("public_id", "organization", "gateway", "livemode", "account", "enabled", "submitted", "missing")
    list_filter = ("enabled", "gateway", "livemode")
    list_select_related = ("organization",)
    search_fields = ("public_id__exact", "account__exact", "organization__name")


@admin.register(JournalRequest)
class JournalRequestAdmin(MoneyAdmin):
    list_display = (
        "public_id", "state", "kind", "organization", "asset", "amount", "ref", "reason", "asked_by", "decided_by",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "asset", "livemode", "created_at")
    list_select_related = ("organization", "asked_by", "decided_by")
    search_fields = ("public_id__exact", "ref__exact", "organization__name")


@admin.register(AutoTopup)
class AutoTopupAdmin(MoneyAdmin):
    list_display = (
        "public_id", "organization", "on", "reason", "asset", "threshold", "amount", "daily_cap", "day", "charged",
    )  # fmt: skip
    list_filter = ("on", "asset", "livemode")
    list_select_related = ("organization",)
    search_fields = ("public_id__exact", "organization__name")


@admin.register(Payout)
class PayoutAdmin(MoneyAdmin):
    list_display = (
        "public_id", "provider", "date", "state", "reason", "asset", "amount", "netted", "reversed", "tries", "paid_at",
    )  # fmt: skip
    list_filter = ("state", "asset", "livemode", "date")
    list_select_related = ("provider",)
    search_fields = ("public_id__exact", "transfer__exact", "provider__name")
    actions = ("send_again",)
    actions_detail = ("take_back",)

    @admin.action(description=gettext_lazy("Send refused payouts again"), permissions=["pay"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        """Each that the processor refused is asked for once more; what cannot be is named."""
        sent = 0
        for payout in queryset.select_related("payee"):
            try:
                if payout.state != "due":
                    self._say(request, messages.WARNING, _("%(payout)s is not refused."), payout)
                    continue
                payouts.send_again(payout=payout, now=utc_now())
                sent += 1
            except DomainError as error:
                self._say(request, messages.ERROR, "%(payout)s: %(why)s", payout, why=error.detail)
        if sent:
            wake_outbox()
            self.message_user(request, _("Payouts that are sent again: %(sent)d.") % {"sent": sent})

    def _say(self, request: HttpRequest, level: int, text: str, payout: Payout, **facts: str) -> None:
        self.message_user(request, text % {"payout": payout.public_id, **facts}, level)

    @action(  # type: ignore[untyped-decorator]  # the package is untyped
        description=gettext_lazy("Take back…"), url_path="take-back", permissions=["take_back"]
    )
    def take_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much of a paid transfer comes back, then ask the processor for it."""
        payout = get_object_or_404(Payout.objects.select_related("provider"), pk=int(object_id))
        wrong = ""
        if request.method == "POST":
            try:
                amount = to_minor(request.POST.get("amount", ""), payout.asset)
                payouts.reverse_payout(payout=payout, amount=amount, now=utc_now())
            except ValueError:
                wrong = _("Write an amount such as %(example)s.") % {"example": to_major(2_500, payout.asset)}
            except DomainError as error:
                wrong = _("Up to %(most)s can be taken back.") % {
                    "most": to_major(int(error.facts.get("most", 0)), payout.asset)
                }
            else:
                wake_outbox()
                self.message_user(request, _("It was asked for; the books follow when the processor has done it."))
                return HttpResponseRedirect(reverse("admin:ledger_payout_change", args=[payout.pk]))
        left = payout.amount - payout.reversed if payout.state == "paid" else 0
        context = {
            **self.admin_site.each_context(request), "title": _("Take a payout back"), "opts": self.opts,
            "payout": payout, "left": to_major(left, payout.asset), "wrong": wrong,
        }  # fmt: skip
        return render(request, "admin/ledger/payout/take_back.html", context, status=422 if wrong else 200)

    def has_pay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("ledger.change_payout"))

    def has_take_back_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Operators, and only of what was paid."""
        return bool(request.user.has_perm("ledger.change_payout"))
