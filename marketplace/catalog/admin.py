"""The operators' view of the shelf. Offers change through the services; places, sites and hardware are kept here."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from accounts.admin import LookOnly
from marketplace.catalog.models import HardwareClass, Latency, Offer, Place, Site
from marketplace.catalog.services import pause_offer
from marketplace.catalog.sites import save_site
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError


class KeptForGood(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    """Rows that others point to: added and corrected, never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Place)
class PlaceAdmin(KeptForGood):
    list_display = ("slug", "name", "name_zh", "country", "latitude", "longitude")
    list_filter = ("country",)
    search_fields = ("slug", "name", "name_zh")


@admin.register(Site)
class SiteAdmin(KeptForGood):
    list_display = ("name", "public_id", "provider", "kind", "country", "region", "zone", "pue_ppm", "sample")
    list_filter = ("kind", "zone", "country", "sample")
    list_select_related = ("provider", "zone")
    search_fields = ("public_id", "name", "name_zh", "locality", "provider__name")
    autocomplete_fields = ("provider", "zone", "point")
    readonly_fields = ("public_id", "sample", "this_machine", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        """A site keeps its provider and zone: contracts and keys name the one, its energy is settled in the other."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "provider", "zone", "point")

    def save_model(self, request: HttpRequest, obj: Site, form: Any, change: bool) -> None:
        """A new site begins now, with a metering point of its own where none is chosen."""
        if not change:
            obj.created_at = utc_now()
        save_site(obj)


@admin.register(HardwareClass)
class HardwareClassAdmin(KeptForGood):
    list_display = ("slug", "accelerator", "vendor", "family", "memory_gb", "pf_milli", "idle_w", "max_w")
    list_filter = ("family", "vendor")
    search_fields = ("slug", "accelerator", "vendor")


@admin.register(Latency)
class LatencyAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    list_display = ("place", "site", "p95_ms", "measured")
    list_filter = ("measured", "place")
    list_select_related = ("place", "site")
    search_fields = ("place__name", "site__name")
    autocomplete_fields = ("place", "site")


@admin.register(Offer)
class OfferAdmin(LookOnly):
    list_display = (
        "title", "public_id", "site", "hardware", "units", "tier", "term", "state", "evidence", "sample", "version",
    )  # fmt: skip
    list_filter = ("state", "tier", "term", "evidence", "sample", "hardware__family", "site__kind")
    list_select_related = ("site", "hardware")
    search_fields = ("public_id", "title", "site__name", "site__provider__name", "hardware__accelerator")
    actions = ("pause",)

    @admin.action(description=_("Pause"), permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Offer]) -> None:
        """Take these offers off the shelf; promises already made stay, and their provider may publish them again."""
        for offer in queryset.select_related("site__provider"):
            try:
                pause_offer(offer=offer, now=utc_now(), reason="by the operator")
            except DomainError as error:
                self.message_user(request, f"{offer.public_id}: {error.detail}", messages.ERROR)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.change_offer")
