"""The operators' view of the grid's record. Hours, forecasts, scores and imports are written by services alone."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.admin import LookOnly
from marketplace.common.clock import utc_now
from marketplace.energy.models import (
    ForecastScore,
    GridForecast,
    GridHour,
    GridZone,
    ImportFile,
    MarginalHour,
    MeterPoint,
    SignalFeed,
)


class RecordAdmin(LookOnly):
    """Rows to look at."""

    show_full_result_count = False  # counting a million hours would take longer than showing a page of them


@admin.register(GridZone)
class GridZoneAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    list_display = ("code", "name", "name_zh", "country", "market_boundary", "timezone", "sample")
    list_filter = ("sample", "country")
    search_fields = ("code", "name", "name_zh")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MeterPoint)
class MeterPointAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    list_display = ("code", "organization", "zone", "pue_design_ppm", "water_ml_per_kwh", "hub_node")
    list_filter = ("zone", "hub_node")
    list_select_related = ("organization", "zone")
    search_fields = ("code", "organization__name")
    autocomplete_fields = ("organization", "zone")
    readonly_fields = ("created_at",)

    def get_readonly_fields(self, request: HttpRequest, obj: MeterPoint | None = None) -> tuple[str, ...]:
        """A point keeps its owner and zone: what was settled there stays where it was."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "organization", "code", "zone")

    def save_model(self, request: HttpRequest, obj: MeterPoint, form: Any, change: bool) -> None:
        """A new point begins now."""
        if not change:
            obj.created_at = utc_now()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(GridHour)
class GridHourAdmin(RecordAdmin):
    list_display = (
        "zone", "start", "renewable_ppm", "carbon_free_ppm", "lifecycle_mg_per_kwh", "direct_mg_per_kwh",
        "source", "vintage", "estimated",
    )  # fmt: skip
    list_filter = ("zone", "source", "estimated")
    list_select_related = ("zone",)
    ordering = ("-start", "zone")


@admin.register(GridForecast)
class GridForecastAdmin(RecordAdmin):
    list_display = ("zone", "signal", "origin", "method", "vintage")
    list_filter = ("zone", "signal")
    list_select_related = ("zone",)
    ordering = ("-origin", "zone", "signal")


@admin.register(ForecastScore)
class ForecastScoreAdmin(RecordAdmin):
    list_display = ("zone", "signal", "day", "method", "mae", "naive_mae", "inside_ppm", "hours")
    list_filter = ("zone", "signal")
    list_select_related = ("zone",)
    ordering = ("-day", "zone", "signal")


@admin.register(ImportFile)
class ImportFileAdmin(RecordAdmin):
    list_display = ("imported_at", "kind", "state", "rows", "faults", "scope", "sha256")
    list_filter = ("state", "kind")


@admin.register(MarginalHour)
class MarginalHourAdmin(RecordAdmin):
    list_display = ("zone", "start", "marginal_mg_per_kwh", "source", "vintage", "published_at")
    list_filter = ("zone", "source")
    list_select_related = ("zone",)
    ordering = ("-start", "zone")


@admin.register(SignalFeed)
class SignalFeedAdmin(LookOnly):
    """How asking the sources goes; which there are is a matter of the settings."""

    list_display = (
        "zone", "provider", "region", "known_until", "last_success_at", "next_try_at", "failures", "last_error",
    )  # fmt: skip
    list_filter = ("provider", "marginal")
    list_select_related = ("zone",)
