"""The operators' view of the books. Nobody changes them; a mistake is undone by a journal of its own.

Rules of taxes are the operators' own: they begin one and end it here, through the services.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.admin import LookOnly
from accounts.tenancy import person_of
from marketplace.common.clock import utc_now
from marketplace.ledger.gateways import admin as sandbox_admin  # noqa: F401 - registers its pages
from marketplace.ledger.models import (
    Account,
    BillingDetails,
    Entry,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    Journal,
    TaxRule,
)
from marketplace.ledger.taxes import add_rule, end_rule


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


@admin.register(TaxRule)
class TaxRuleAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    list_display = (
        "seller_country", "buyer_country", "business", "tax_bp", "text", "valid_from", "valid_to", "public_id",
    )  # fmt: skip
    list_filter = ("seller_country", "buyer_country", "business")
    search_fields = ("public_id__exact", "buyer_country__exact", "text")
    fields = ("seller_country", "buyer_country", "business", "tax_bp", "text", "valid_from", "valid_to")

    def get_readonly_fields(self, request: HttpRequest, obj: TaxRule | None = None) -> tuple[str, ...]:
        """Of a rule that is there only the end can be set."""
        return self.fields[:-1] if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A rule is ended: what an invoice said stays explainable."""
        return False

    def save_model(self, request: HttpRequest, obj: TaxRule, form: Any, change: bool) -> None:
        """Through the services, which leave an event."""
        actor, now = f"person:{person_of(request).pk}", utc_now()
        if change:
            end_rule(rule=obj, valid_to=obj.valid_to, now=now, actor=actor)
        else:
            add_rule(rule=obj, now=now, actor=actor)


@admin.register(BillingDetails)
class BillingDetailsAdmin(LookOnly):
    list_display = ("organization", "legal_name", "tax_id", "updated_at")
    list_select_related = ("organization",)
    search_fields = ("organization__name", "legal_name", "tax_id__exact")


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(LookOnly):
    list_display = ("code", "kind", "livemode", "year", "last")
    list_filter = ("kind", "livemode", "year")
    search_fields = ("code__exact",)


@admin.register(Invoice)
class InvoiceAdmin(LookOnly):
    list_display = (
        "public_id", "label", "kind", "buyer", "scope", "period_start", "total_minor", "tax_minor", "asset", "livemode",
        "state", "issued_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "scope", "livemode", "asset", "issued_at")
    list_select_related = ("buyer", "series")
    search_fields = ("public_id__exact", "label__exact", "order__exact", "buyer__name")
    show_full_result_count = False


@admin.register(InvoiceLine)
class InvoiceLineAdmin(LookOnly):
    list_display = ("source", "invoice", "position", "quantity", "unit", "unit_price", "amount_minor", "tax_minor")
    list_select_related = ("invoice",)
    search_fields = ("source__exact", "invoice__label__exact", "invoice__public_id__exact")
    ordering = ("-pk",)
    show_full_result_count = False
