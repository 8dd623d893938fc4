"""Reservations as the marketplace tells them: to their buyer, and to whom they were sold by."""

from dataclasses import dataclass
from datetime import datetime

from .objects import Offer, PriceLine, Record, Site


@dataclass(frozen=True, kw_only=True)
class ReservationChange(Record):
    """Units that a reservation got in a span, at their price, or gave back (below zero, without one)."""

    id: str = ""
    units: int = 0
    start: datetime
    end: datetime
    contract: str | None = None
    total_minor: int = 0
    price_lines: tuple[PriceLine, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GreenPromise(Record):
    """How many per cent of a reservation's energy in [start, end) are promised to be matched by the hour."""

    id: str = ""
    promised_percent: int = 0
    start: datetime
    end: datetime
    credit_rate_ppm: int = 0
    cap_ppm: int = 0


@dataclass(frozen=True, kw_only=True)
class Reservation(Record):
    """Units promised to the buyer in [start, end); `change` is what extending or resizing it came to."""

    id: str = ""
    state: str = ""
    offer: Offer | None = None
    site: Site | None = None
    units: int = 1
    start: datetime
    end: datetime
    expires_at: datetime | None = None
    currency: str = "USD"
    total_minor: int = 0
    price_lines: tuple[PriceLine, ...] = ()
    version: int | None = None
    created_at: datetime | None = None
    change: ReservationChange | None = None
    green_promise: GreenPromise | None = None


@dataclass(frozen=True, kw_only=True)
class GivenUp(Record):
    """What giving a reservation up comes to: back to its buyer, credited, the provider's part, jobs that end."""

    refund_minor: int = 0
    credit_minor: int = 0
    provider_minor: int = 0
    jobs: int = 0


@dataclass(frozen=True, kw_only=True)
class SoldReservation(Record):
    """Units of an own offer that are promised to a buyer in [start, end)."""

    id: str = ""
    state: str = ""
    reason: str | None = None
    offer: Offer | None = None
    site: Site | None = None
    units: int = 1
    start: datetime
    end: datetime
    currency: str = "USD"
    created_at: datetime | None = None
    given_up: GivenUp | None = None
