"""The operators' view of the grid's record, of evidence and of certified energy. Services alone write all of it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from accounts.admin import LookOnly
from marketplace.energy.models import (
    CertificateLot,
    CertificateSpan,
    EnergySource,
    ForecastScore,
    GenerationHour,
    GreenPromise,
    GreenReceipt,
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
    PromiseMiss,
    ReceiptKey,
    ReceiptStep,
    ShareHour,
    SignalFeed,
    SourceShare,
    StorageDraw,
    SupplyEntry,
    UseHour,
)

LOTS = 100  # that are named on the page of a receipt


def link(href: str, words: str) -> SafeString:
    return format_html('<a class="text-primary-600 dark:text-primary-500 underline" href="{}">{}</a>', href, words)


def listing(model: str, search: str) -> str:
    """The address of the list of `model` that has what `search` finds."""
    return f"{reverse(f'admin:energy_{model}_changelist')}?{urlencode({'q': search})}"


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
    readonly_fields = ("to_desk",)

    @admin.display(description=gettext_lazy("decide on it"))
    def to_desk(self, source: EnergySource) -> SafeString:
        """The page on which a reviewer decides."""
        return link(reverse("desk-source", args=[source.public_id]), _("Review"))


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
    search_fields = ("public_id", "holder__name", "issuance__issuance_id", "issuance__device_id", "serial_text")
    ordering = ("-pk",)
    readonly_fields = ("to_desk", "to_entries")

    @admin.display(description=gettext_lazy("checks, ledger and receipts"))
    def to_desk(self, lot: CertificateLot) -> SafeString:
        """The page with its checks, every move of it and the receipts that used it."""
        return link(reverse("desk-lot", args=[lot.public_id]), _("Review"))

    @admin.display(description=gettext_lazy("supply entries"))
    def to_entries(self, lot: CertificateLot) -> SafeString:
        return link(listing("supplyentry", lot.public_id), _("every move of it"))


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


@admin.register(PromiseMiss)
class PromiseMissAdmin(RecordAdmin):
    list_display = ("promise", "receipt_version", "matched_wh", "used_wh", "told_at", "answered_at")
    list_filter = (("answered_at", admin.EmptyFieldListFilter),)
    list_select_related = ("promise",)
    search_fields = ("promise__public_id", "promise__subject")
    ordering = ("-pk",)


@admin.register(ReceiptKey)
class ReceiptKeyAdmin(RecordAdmin):
    list_display = ("kid", "public_key", "created_at")
    search_fields = ("kid",)
    ordering = ("-pk",)


@admin.register(ReceiptStep)
class ReceiptStepAdmin(RecordAdmin):
    """What comes next for each receipt; without a time its work has not ended yet."""

    list_display = ("subject", "step", "due_at")
    list_filter = ("step",)
    search_fields = ("subject",)
    ordering = ("due_at", "pk")


@admin.register(GreenReceipt)
class GreenReceiptAdmin(RecordAdmin):
    """Versions of receipts, each with the way to its page and to the ledger entries that it rests on."""

    list_display = ("public_id", "version", "status", "subject", "buyer", "start", "end", "issued_at", "sample")
    list_filter = ("status", "sample", "issued_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id", "subject", "buyer__name", "buyer__public_id", "sha256")
    ordering = ("-issued_at", "-pk")
    fields = (
        "public_id", "to_page", "version", "status", "subject", "buyer", "providers", "start", "end", "issued_at",
        "sample", "to_versions", "to_entries", "to_lots", "sha256", "prev_sha256", "kid", "to_file",
    )  # fmt: skip
    readonly_fields = ("to_page", "to_versions", "to_entries", "to_lots", "to_file")

    @admin.display(description=gettext_lazy("page"))
    def to_page(self, receipt: GreenReceipt) -> SafeString:
        """As its buyer sees it, with every hour and its sources."""
        address = f"{reverse('receipt', args=[receipt.public_id])}?version={receipt.version}"
        return link(address, f"/receipts/{receipt.public_id}/")

    @admin.display(description=gettext_lazy("file"))
    def to_file(self, receipt: GreenReceipt) -> SafeString:
        """What was signed, every version of it: the evidence itself."""
        address = f"{reverse('api-receipt', args=[receipt.public_id])}?version={receipt.version}"
        return link(address, f"{receipt.public_id}.json")

    @admin.display(description=gettext_lazy("all versions"))
    def to_versions(self, receipt: GreenReceipt) -> SafeString:
        return link(listing("greenreceipt", receipt.public_id), _("all versions"))

    @admin.display(description=gettext_lazy("supply entries"))
    def to_entries(self, receipt: GreenReceipt) -> SafeString:
        """The moves of energy for its subject."""
        count = SupplyEntry.objects.of_subject(receipt.subject).count()
        return link(listing("supplyentry", receipt.subject), _("%(count)d moves for it") % {"count": count})

    @admin.display(description=gettext_lazy("certificate lots"))
    def to_lots(self, receipt: GreenReceipt) -> SafeString:
        """The lots that any of its energy came from."""
        lots = CertificateLot.objects.filter(entries__subject=receipt.subject).distinct().order_by("pk")[:LOTS]
        ways = ((link(reverse("desk-lot", args=[lot.public_id]), lot.public_id),) for lot in lots)
        return format_html_join(" ", "{}", ways) or SafeString("—")
