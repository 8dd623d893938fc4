"""Files of hourly certificates (`gc`, EnergyTag-like); guarantees of origin, I-REC and REC come in the same columns."""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import NamedTuple

from marketplace.energy.imports.cells import (
    WrongCell,
    day,
    label,
    one_of,
    positive,
    utc_moment,
    whole,
    whole_minute,
)
from marketplace.energy.imports.certificates import Certified
from marketplace.energy.imports.grid import known_zones
from marketplace.energy.imports.gridsheet import known_zone
from marketplace.energy.imports.sheets import Column
from marketplace.energy.models import Scheme, Technology

SCHEMES = (Scheme.GC.value, Scheme.GO.value, Scheme.IREC.value, Scheme.REC.value)
STATES = ("active", "reserved", "cancelled", "claimed", "expired", "withdrawn", "exported", "stored")
COLUMNS_OF = {
    "wh": "range_end", "interval": "end_utc", "zone": "market_zone", "issuance": "issuance_id", "device": "device_id",
    "expiry": "expires_at", "underlying": "underlying_serial",
}  # fmt: skip


class GcRow(NamedTuple):
    """One row, in the order of `columns`."""

    registry: str
    issuance_id: str
    range_start: int
    range_end: int
    device_id: str
    technology: str
    capacity_w: int
    commissioned_on: date
    start_utc: datetime
    end_utc: datetime
    market_zone: str
    issuer: str
    state: str
    underlying_serial: str | None
    expires_at: datetime | None
    scheme: str | None

    def certified(self, line: int) -> Certified:
        return Certified(
            line, self.scheme or Scheme.GC.value, self.registry, self.issuance_id, self.range_start, self.range_end,
            self.device_id, self.technology, self.capacity_w, self.commissioned_on, self.start_utc, self.end_utc,
            self.market_zone, self.issuer, underlying_serial=self.underlying_serial, expires_at=self.expires_at,
        )  # fmt: skip


def columns() -> list[Column]:
    """The columns of the file, under the names that they have here."""
    reads: dict[str, Callable[[str], object]] = {
        "registry": partial(label, most=40),
        "issuance_id": partial(label, most=80),
        "range_start": whole,
        "range_end": whole,
        "device_id": partial(label, most=60),
        "technology": partial(one_of, known=Technology.values),
        "capacity_w": positive,
        "commissioned_on": day,
        "start_utc": whole_minute,
        "end_utc": whole_minute,
        "market_zone": partial(known_zone, known=known_zones()),
        "issuer": partial(label, most=80),
        "state": usable,
        "underlying_serial": lambda text: label(text, most=120) if text else None,
        "expires_at": lambda text: utc_moment(text) if text else None,
        "scheme": lambda text: one_of(text, known=SCHEMES) if text else None,
    }
    return [Column(name, (name,), read, needed=name != "scheme") for name, read in reads.items()]


def usable(text: str) -> str:
    """`active`: nothing else can be used here; raises WrongCell."""
    state = one_of(text, known=STATES)
    if state == "expired":
        raise WrongCell("expired", "it has expired", "leave it out")
    if state != "active":
        raise WrongCell("bad_value", f"a certificate that is {state} cannot be used here", "import active ones")
    return state
