"""Promises, the use that is metered under them, and what is charged for it."""

from marketplace.booking.models.charges import ChargeLine, ServiceCredit, Settlement
from marketplace.booking.models.disputes import UsageDispute
from marketplace.booking.models.promises import (
    CapacityDay,
    Contract,
    Quote,
    Reservation,
    ReservationChange,
    ReservationDay,
    UsageRecord,
    no_units,
)
from marketplace.booking.models.standing import StandingHour, StandingOrder
from marketplace.booking.models.waits import Wait

__all__ = [
    "CapacityDay", "ChargeLine", "Contract", "Quote", "Reservation", "ReservationChange", "ReservationDay",
    "ServiceCredit", "Settlement", "StandingHour", "StandingOrder", "UsageDispute", "UsageRecord", "Wait",
    "no_units",
]  # fmt: skip
