"""The operators' view of the grid's record, of evidence and of certified energy. Services alone write all of it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts.admin import LookOnly
from marketplace.energy.models import (
    CertificateLot,
    CertificateSpan,
    EnergySource,
    ForecastScore,
    GenerationHour,
    GreenPromise,
    GridForecast,
    GridHour,
    GridZone,
    ImportFile,
    Issuance,
    MarginalHour,
    MatchLine,
    MeterPoint,
    PointHour,
    PromiseHour,
    ShareHour,
    SignalFeed,
    SourceShare,
    StorageDraw,
    SupplyEntry,
    UseHour,
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
class MeterPointAdmin(RecordAdmin):
    list_display = ("code", "organization", "zone", "pue_design_ppm", "water_ml_per_kwh", "hub_node")
    list_filter = ("hub_node", "zone")
    list_select_related = ("organization", "zone")
    search_fields = ("code", "organization__name")


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
    list_display = ("imported_at", "organization", "kind", "state", "rows", "incomplete", "faults", "scope", "sha256")
    list_filter = ("state", "kind")
    list_select_related = ("organization",)


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


@admin.register(PointHour)
class PointHourAdmin(RecordAdmin):
    list_display = ("point", "start", "it_wh", "total_wh", "attributed_wh", "method", "pue_method")
    list_filter = ("method", "pue_method")
    list_select_related = ("point",)
    search_fields = ("point__code",)
    ordering = ("-start", "point")


@admin.register(UseHour)
class UseHourAdmin(RecordAdmin):
    list_display = ("subject", "point", "start", "it_wh", "site_wh", "matched_wh", "volume_wh", "method", "settled_at")
    list_filter = ("method",)
    list_select_related = ("point",)
    search_fields = ("subject", "point__code")
    ordering = ("-start", "subject")


@admin.register(EnergySource)
class EnergySourceAdmin(RecordAdmin):
    list_display = (
        "device_id", "name", "organization", "kind", "technology", "capacity_w", "zone", "evidence", "verified_by",
        "verified_at", "certificates_sold",
    )  # fmt: skip
    list_filter = ("evidence", "kind", "technology", "certificates_sold")
    list_select_related = ("organization", "zone", "verified_by")
    search_fields = ("public_id", "device_id", "name", "organization__name")


@admin.register(SourceShare)
class SourceShareAdmin(RecordAdmin):
    list_display = ("source", "point", "slice", "valid", "contract_ref")
    list_select_related = ("source", "point")
    search_fields = ("source__device_id", "point__code", "contract_ref")


@admin.register(ShareHour)
class ShareHourAdmin(RecordAdmin):
    list_display = ("share", "start", "promised_ppm")
    list_select_related = ("share",)
    ordering = ("-start", "share")


@admin.register(GenerationHour)
class GenerationHourAdmin(RecordAdmin):
    list_display = ("source", "start", "quality", "wh", "claimed_wh")
    list_filter = ("quality",)
    list_select_related = ("source",)
    search_fields = ("source__device_id",)
    ordering = ("-start", "source")


@admin.register(Issuance)
class IssuanceAdmin(RecordAdmin):
    list_display = (
        "registry", "issuance_id", "scheme", "device_id", "technology", "zone", "start", "end", "temporal_resolution",
        "release", "tradable", "underlying_serial", "expires_at",
    )  # fmt: skip
    list_filter = ("scheme", "temporal_resolution", "release", "technology")
    list_select_related = ("zone",)
    search_fields = ("issuance_id", "device_id", "underlying_serial")
    ordering = ("-pk",)


@admin.register(CertificateLot)
class CertificateLotAdmin(RecordAdmin):
    list_display = (
        "public_id", "state", "holder", "point", "issuance", "wh_range", "available_wh", "reserved_wh", "cancelled_wh",
        "reviewed_by", "reviewed_at",
    )  # fmt: skip
    list_filter = ("state", "issuance__scheme")
    list_select_related = ("holder", "point", "issuance", "reviewed_by")
    search_fields = ("public_id", "holder__name", "issuance__issuance_id", "serial_text")
    ordering = ("-pk",)


@admin.register(CertificateSpan)
class CertificateSpanAdmin(RecordAdmin):
    list_display = ("lot", "wh_range", "state", "subject")
    list_filter = ("state",)
    list_select_related = ("lot",)
    search_fields = ("lot__public_id", "subject")
    ordering = ("-lot", "wh_range")


@admin.register(SupplyEntry)
class SupplyEntryAdmin(RecordAdmin):
    list_display = ("at", "lot", "wh_range", "from_state", "to_state", "subject", "purpose", "statement_ref")
    list_filter = ("to_state", "from_state")
    list_select_related = ("lot",)
    search_fields = ("lot__public_id", "subject", "statement_ref")
    ordering = ("-pk",)


@admin.register(StorageDraw)
class StorageDrawAdmin(RecordAdmin):
    list_display = ("issuance", "lot", "wh_range")
    list_select_related = ("issuance", "lot")
    search_fields = ("lot__public_id", "issuance__issuance_id")
    ordering = ("-pk",)


@admin.register(MatchLine)
class MatchLineAdmin(RecordAdmin):
    list_display = ("use_hour", "lot", "wh_range", "volume", "live")
    list_filter = ("live", "volume")
    list_select_related = ("use_hour", "lot")
    search_fields = ("lot__public_id", "use_hour__subject")
    ordering = ("-pk",)


@admin.register(GreenPromise)
class GreenPromiseAdmin(RecordAdmin):
    list_display = ("public_id", "subject", "point", "start", "end", "promised_percent", "credit_rate_ppm", "cap_ppm")
    list_select_related = ("point",)
    search_fields = ("public_id", "subject")
    ordering = ("-pk",)


@admin.register(PromiseHour)
class PromiseHourAdmin(RecordAdmin):
    list_display = ("promise", "share_hour", "ppm")
    list_select_related = ("promise", "share_hour")
    search_fields = ("promise__subject",)
    ordering = ("-pk",)
