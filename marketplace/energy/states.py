"""The states of energy's rows, and the legal moves of certified Wh."""

from marketplace.common.states import StateTable

LOT = StateTable(
    kind="certificate_lot",
    moves={"pending": ("active", "refused"), "active": ("closed",), "refused": (), "closed": ()},
)

# Of Wh, not of rows: each is in exactly one of these, and each move leaves a SupplyEntry.
SUPPLY: dict[str, tuple[str, ...]] = {
    "available": ("reserved", "stored", "exported", "expired", "withdrawn"),
    "reserved": ("available", "cancelled", "expired", "withdrawn"),
    "cancelled": ("withdrawn",),
    "stored": (),
    "exported": (),
    "expired": (),
    "withdrawn": (),
}
OWNED = ("reserved", "cancelled")  # for a subject
