"""Usage as the marketplace bills it: one line of canonical JSON, signed with the agent's own key."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.wire import Lease, Usage

MICROJOULES_PER_WH = 3_600_000_000


def modelled_wh(*, lease: Lease, usage: Usage) -> int:
    """Energy by the model of `energy.md`: ceil(seconds x units x (idle + (max - idle) x u) / 3600), in whole Wh.

    u is the share of the granted processors that was busy, at most 1. Integers throughout: the same figures give the
    same energy on every machine.
    """
    granted_ms = usage.milliseconds * max(lease.limits.cpus, 1)
    busy_ms = min(usage.cpu_ms, granted_ms)
    power = lease.power
    above = lease.limits.units * (power.idle_w * granted_ms + (power.max_w - power.idle_w) * busy_ms)
    below = max(lease.limits.cpus, 1) * 3_600_000
    return -(-above // below)


def usage_line(*, lease: Lease, usage: Usage, bytes_in: int, bytes_out: int) -> dict[str, Any]:
    """The facts of one attempt, all integers and strings. A metered reading wins over the model."""
    metered = usage.energy_uj is not None
    energy_wh = -(-usage.energy_uj // MICROJOULES_PER_WH) if usage.energy_uj is not None else None
    return {
        "attempt": lease.attempt,
        "lease": lease.id,
        "epoch": lease.epoch,
        "units": lease.limits.units,
        "milliseconds": usage.milliseconds,
        "cpu_ms": usage.cpu_ms,
        "peak_memory_bytes": usage.peak_memory_bytes,
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "energy_method": "metered_node" if metered else "modelled_utilisation",
        "energy_wh": energy_wh if energy_wh is not None else modelled_wh(lease=lease, usage=usage),
    }


def sign(line: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, str]:
    """The line's exact canonical bytes (RFC 8785; no floats occur) and the signature over them."""
    text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"line": text, "signature": base64.b64encode(key.sign(text.encode())).decode("ascii")}
