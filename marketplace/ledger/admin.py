"""The operators' view of the books. Nobody changes them; a mistake is undone by a journal of its own."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin import LookOnly
from marketplace.ledger import paymentadmin  # noqa: F401 - registers what comes in and goes out
from marketplace.ledger.models import Account, Entry, Journal


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
