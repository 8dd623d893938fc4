"""The operators' view of promises: hours, quotes, reservations, contracts, metered use. Services alone write them."""

from django.contrib import admin

from accounts.admin import LookOnly
from marketplace.booking.models import (
    CapacityDay,
    ChargeLine,
    Contract,
    Quote,
    Reservation,
    ReservationChange,
    ReservationDay,
    ServiceCredit,
    Settlement,
    StandingHour,
    StandingOrder,
    UsageDispute,
    UsageRecord,
    Wait,
)


@admin.register(CapacityDay)
class CapacityDayAdmin(LookOnly):
    list_display = ("offer", "day", "most_units", "most_promised")
    list_filter = ("day",)
    list_select_related = ("offer",)
    search_fields = ("offer__public_id", "offer__title")
    ordering = ("day", "offer")

    def most_units(self, row: CapacityDay) -> int:
        """Units that exist in the fullest hour."""
        return max(row.units_total)

    def most_promised(self, row: CapacityDay) -> int:
        """Units promised in the hour with most of them."""
        return max(row.units_promised)


@admin.register(Quote)
class QuoteAdmin(LookOnly):
    list_display = ("public_id", "buyer", "considered", "created_at", "expires_at")
    list_filter = ("created_at",)
    list_select_related = ("buyer",)
    search_fields = ("public_id", "buyer__name")


@admin.register(Reservation)
class ReservationAdmin(LookOnly):
    list_display = ("public_id", "state", "reason", "buyer", "offer", "units", "start", "end", "expires_at")
    list_filter = ("state", "start")
    list_select_related = ("buyer", "offer")
    search_fields = ("public_id", "buyer__name", "offer__public_id", "offer__title")


@admin.register(ReservationDay)
class ReservationDayAdmin(LookOnly):
    list_display = ("reservation", "day", "most_units", "most_promised")
    list_filter = ("day",)
    list_select_related = ("reservation",)
    search_fields = ("reservation__public_id",)
    ordering = ("-reservation", "day")

    def most_units(self, row: ReservationDay) -> int:
        """Units that it holds in the fullest hour."""
        return max(row.units_total)

    def most_promised(self, row: ReservationDay) -> int:
        """Units that work inside has in the hour with most of them."""
        return max(row.units_promised)


@admin.register(ReservationChange)
class ReservationChangeAdmin(LookOnly):
    list_display = ("public_id", "reservation", "units", "start", "end", "contract", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("reservation", "contract")
    search_fields = ("public_id", "reservation__public_id", "contract__public_id")
    ordering = ("-pk",)


@admin.register(Contract)
class ContractAdmin(LookOnly):
    list_display = (
        "public_id", "subject", "buyer", "provider", "offer", "units", "start", "end", "currency", "total_minor",
    )  # fmt: skip
    list_filter = ("currency", "created_at")
    list_select_related = ("buyer", "provider", "offer")
    search_fields = ("public_id", "subject", "buyer__name", "provider__name", "offer__public_id")


@admin.register(UsageRecord)
class UsageRecordAdmin(LookOnly):
    list_display = (
        "public_id", "attempt", "contract", "during", "units", "milliseconds", "energy_wh", "site_wh", "carbon_ug",
        "energy_method", "signal_quality", "flagged",
    )  # fmt: skip
    list_filter = ("energy_method", "signal_quality", "created_at")
    list_select_related = ("contract",)
    search_fields = ("public_id", "attempt", "contract__public_id")


@admin.register(ChargeLine)
class ChargeLineAdmin(LookOnly):
    list_display = (
        "public_id", "contract", "seq", "attempt", "quantity", "charge_minor", "fee_minor", "provider_minor",
        "tax_minor", "pending_left", "frozen", "matures_at", "matured_at",
    )  # fmt: skip
    list_filter = ("frozen", "idle", "livemode", "matures_at")
    list_select_related = ("contract",)
    search_fields = ("public_id__exact", "attempt__exact", "contract__public_id__exact")
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(ServiceCredit)
class ServiceCreditAdmin(LookOnly):
    list_display = (
        "public_id", "buyer", "kind", "subject", "asset", "amount_minor", "fee_minor", "provider_minor", "created_at",
    )  # fmt: skip
    list_filter = ("kind", "asset", "livemode", "created_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id__exact", "subject__exact", "buyer__name")


@admin.register(UsageDispute)
class UsageDisputeAdmin(LookOnly):
    list_display = ("public_id", "state", "reason", "buyer", "line", "credit", "created_at", "decided_at", "decided_by")
    list_filter = ("state", "reason", "created_at")
    list_select_related = ("buyer", "line", "credit")
    search_fields = ("public_id__exact", "line__public_id__exact", "buyer__name")


@admin.register(Settlement)
class SettlementAdmin(LookOnly):
    list_display = ("public_id", "job", "buyer", "asset", "charged_minor", "released_minor", "created_at")
    list_filter = ("asset", "livemode", "created_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id__exact", "job__exact", "buyer__name")


@admin.register(StandingOrder)
class StandingOrderAdmin(LookOnly):
    list_display = (
        "public_id", "state", "short", "buyer", "units", "where", "ahead_hours", "block_hours", "ends_at", "looked_at",
    )  # fmt: skip
    list_filter = ("state", "short", "created_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id__exact", "buyer__name")


@admin.register(StandingHour)
class StandingHourAdmin(LookOnly):
    list_display = ("order", "hour", "units", "reservation")
    list_filter = ("hour",)
    list_select_related = ("order", "reservation")
    search_fields = ("order__public_id__exact", "reservation__public_id__exact")
    ordering = ("-hour", "-pk")


@admin.register(Wait)
class WaitAdmin(LookOnly):
    list_display = (
        "public_id", "state", "buyer", "family", "units", "hours", "where", "start_after", "start_by", "reserve",
        "ahead", "expected_start", "reservation",
    )  # fmt: skip
    list_filter = ("state", "family", "created_at")
    list_select_related = ("buyer", "reservation")
    search_fields = ("public_id__exact", "buyer__name", "reservation__public_id__exact")
