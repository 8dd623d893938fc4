"""The operators' view of the journal, which nobody can change, and of what the independent checker found."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import LookOnly
from marketplace.common.clock import utc_now
from marketplace.events.models import Event, InvariantRun
from marketplace.events.runview import run_page


@admin.register(Event)
class EventAdmin(LookOnly):
    list_display = ("at", "type", "object_id", "state", "reason", "buyer", "provider")
    list_filter = ("type", "at")
    list_select_related = ("buyer", "provider")
    search_fields = ("object_id__exact", "public_id__exact")  # whole ids: the journal is long, its index is by id
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(InvariantRun)
class InvariantRunAdmin(LookOnly):
    list_display = ("finished_at", "said", "ms", "note", "public_id")
    list_filter = ("outcome", "finished_at")
    search_fields = ("public_id__exact",)
    fields = ("public_id",)  # the page has a form of its own: marketplace.events.runview
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvariantRun]:
        """Without what was found, which the list does not show."""
        rows: QuerySet[InvariantRun] = super().get_queryset(request)
        return rows.defer("findings")

    @admin.display(description=gettext_lazy("Outcome"), ordering="outcome")
    def said(self, row: InvariantRun) -> str:
        """The outcome in words."""
        words = {
            InvariantRun.KEPT: _("every promise holds"),
            InvariantRun.BROKEN: _("a promise is broken"),
            InvariantRun.UNKNOWN: _("not everything could be checked"),
        }
        return words[row.outcome]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The newest run in full, above the list of all."""
        told = run_page(InvariantRun.objects.newest(), now=utc_now()) | {"title": _("Promises kept"), "newest": True}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **told})
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One run in full."""
        key = int(object_id) if object_id.isascii() and object_id.isdigit() else 0
        run = InvariantRun.objects.filter(pk=key).first()
        told = run_page(run, now=utc_now()) | {"title": _("Promises kept")} if run else {}
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return answer
