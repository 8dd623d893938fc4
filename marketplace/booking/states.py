"""The legal moves of reservations, of standing orders and of disputes of use."""

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
STANDING_ORDER = StateTable(
    kind="standing_order",
    moves={
        "active": ("paused", "cancelled", "ended"),
        "paused": ("active", "cancelled", "ended"),
        "cancelled": (),
        "ended": (),
    },
)
USAGE_DISPUTE = StateTable(kind="usage_dispute", moves={"open": ("upheld", "refused"), "upheld": (), "refused": ()})
