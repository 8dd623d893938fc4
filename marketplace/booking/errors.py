"""What booking refuses, with the facts."""

from marketplace.common.errors import DomainError, IllegalState


class CapacityTaken(DomainError):
    """An hour has fewer free units than asked for."""

    code = "capacity_taken"

    def __init__(self, *, offer: str, units: int) -> None:
        super().__init__(
            f"offer {offer} cannot take {units} more units in these hours",
            hint="ask for another quote: it lists what is free now",
            offer=offer,
            units=units,
        )


class QuoteExpired(DomainError):
    """The quote's ten minutes are over."""

    code = "quote_expired"

    def __init__(self, *, quote: str) -> None:
        super().__init__(f"quote {quote} has expired", hint="ask for a new quote", quote=quote)


class DisputeWindowClosed(DomainError):
    """The provider has been credited with the charge."""

    code = "dispute_window_closed"


class ReservationFull(DomainError):
    """An hour of a reservation has fewer units left for work inside than asked for."""

    code = "capacity_taken"

    def __init__(self, *, reservation: str, units: int) -> None:
        super().__init__(
            f"reservation {reservation} cannot take {units} more units in these hours",
            hint="wait until work inside it ends, or add units to it",
            reservation=reservation,
            units=units,
        )


class WorkInside(IllegalState):
    """Work inside a reservation still has the units that were to go."""

    def __init__(self, *, reservation: str) -> None:
        super().__init__(
            f"jobs inside reservation {reservation} hold these units",
            hint="cancel those jobs first, or wait until they have ended",
            reservation=reservation,
        )
