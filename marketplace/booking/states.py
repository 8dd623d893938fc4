"""The legal moves of reservations, of standing orders, of waits for hours and of disputes of use."""

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
WAIT = StateTable(kind="wait", moves={"waiting": ("served", "left", "over"), "served": (), "left": (), "over": ()})
GIVE_UP_REASONS = ("hardware_failed", "power_lost", "network_lost", "maintenance", "withdrawn")
USAGE_DISPUTE = StateTable(kind="usage_dispute", moves={"open": ("upheld", "refused"), "upheld": (), "refused": ()})
