"""The operators' view of invoices. Rules of taxes are their own: they begin and end one here, through the services."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.admin import LookOnly
from accounts.tenancy import person_of
from marketplace.common.clock import utc_now
from marketplace.ledger.models import BillingDetails, Invoice, InvoiceLine, InvoiceSeries, TaxRule
from marketplace.ledger.taxes import add_rule, end_rule


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
