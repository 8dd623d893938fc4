"""Writing what was issued and the lots that are held of it, many at once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from marketplace.common.copying import ask_keys, keys_of
from marketplace.common.ids import new_ids
from marketplace.energy.copying import copy_rows
from marketplace.energy.models import CertificateLot, Issuance

COPY_ISSUANCES = """
COPY energy_issuance (id, registry, issuance_id, scheme, source_id, device_id, device_name, technology, capacity_w,
    commissioned_on, issuer, zone_id, start, "end", release, temporal_resolution, support, tradable, underlying_serial,
    expires_at) FROM STDIN
"""
COPY_LOTS = """
COPY energy_certificatelot (id, public_id, issuance_id, wh_range, holder_id, point_id, state, reason, serial_text,
    evidence_sha256, version, created_at) FROM STDIN
"""


class NewIssuance(NamedTuple):
    """What a registry issued, in the order of COPY; `source` and `zone` are keys."""

    registry: str
    issuance_id: str
    scheme: str
    source: int | None
    device_id: str
    device_name: str
    technology: str
    capacity_w: int | None
    commissioned_on: date
    issuer: str
    zone: int
    start: datetime
    end: datetime
    release: str
    temporal_resolution: str
    support: str = ""
    tradable: bool = False
    underlying_serial: str | None = None
    expires_at: datetime | None = None


class NewLot(NamedTuple):
    """The Wh [lower, upper) of an issuance (by key) that `holder` holds for `point` (both keys)."""

    issuance: int
    lower: int
    upper: int
    holder: int
    point: int | None
    state: str
    serial_text: str = ""
    evidence_sha256: str = ""


def write_issuances(rows: Sequence[NewIssuance]) -> list[int]:
    """Write what was issued; the keys, in order."""
    if not rows:
        return []
    [keys] = keys_of(ask_keys((Issuance, len(rows))))
    copy_rows(COPY_ISSUANCES, ((key, *row) for key, row in zip(keys.tolist(), rows, strict=True)))
    found: list[int] = keys.tolist()
    return found


def write_lots(rows: Sequence[NewLot], *, now: datetime) -> list[int]:
    """Write lots, all of whose Wh are available; their keys, in order."""
    if not rows:
        return []
    [keys] = keys_of(ask_keys((CertificateLot, len(rows))))
    ids = [each.decode() for each in new_ids("crt", len(rows))]
    copy_rows(
        COPY_LOTS,
        (
            (key, public_id, row.issuance, f"[{row.lower},{row.upper})", row.holder, row.point, row.state, "",
             row.serial_text, row.evidence_sha256, 1, now)
            for key, public_id, row in zip(keys.tolist(), ids, rows, strict=True)
        ),
    )  # fmt: skip
    found: list[int] = keys.tolist()
    return found
