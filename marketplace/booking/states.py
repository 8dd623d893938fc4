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
GIVE_UP_REASONS = ("hardware_failed", "power_lost", "network_lost", "maintenance", "withdrawn")
USAGE_DISPUTE = StateTable(kind="usage_dispute", moves={"open": ("upheld", "refused"), "upheld": (), "refused": ()})
