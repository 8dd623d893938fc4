"""The legal moves of reservations and of disputes of use."""

from marketplace.common.states import StateTable

RESERVATION = StateTable(
    kind="reservation",
    moves={
        "held": ("confirmed", "expired", "cancelled"),
        "confirmed": ("active", "cancelled", "failed"),
        "active": ("completed", "failed"),
        "completed": (),
        "expired": (),
        "cancelled": (),
        "failed": (),
    },
)
USAGE_DISPUTE = StateTable(kind="usage_dispute", moves={"open": ("upheld", "refused"), "upheld": (), "refused": ()})
