"""The operators' view of the journal, which nobody can change."""

from django.contrib import admin

from accounts.admin import LookOnly
from marketplace.events.models import Event


@admin.register(Event)
class EventAdmin(LookOnly):
    list_display = ("at", "type", "object_id", "state", "reason", "buyer", "provider")
    list_filter = ("type", "at")
    list_select_related = ("buyer", "provider")
    search_fields = ("object_id__exact", "public_id__exact")  # whole ids: the journal is long, its index is by id
    ordering = ("-pk",)
    show_full_result_count = False
