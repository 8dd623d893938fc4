"""A ranked row as the API shows it."""

from datetime import datetime
from typing import Any

from marketplace.catalog.offerview import offer_as_json
from marketplace.common.clock import rfc3339
from marketplace.energy.pointhours import RunShares
from scheduler.core.explain import fit_as_json
from scheduler.search import Row


def row_as_json(row: Row, units: int, now: datetime) -> dict[str, Any]:
    """The offer with its match."""
    ranked = row.ranked
    return offer_as_json(row.offer, now) | {
        "match": {
            "rank": row.rank,
            "letter": row.letter,
            "start": rfc3339(row.start),
            "end": rfc3339(row.end),
            "units": units,
            "hours": (ranked.end_s - ranked.start_s) / 3600,
            "total_minor": row.total_minor,
            "price_lines": [line.as_dict() for line in row.price_lines],
            "unit_price_mm": ranked.price_mm,
            "pflop_hour_mm": row.pflop_hour_mm,
            "renewable_share_ppm": ranked.share_ppm,
            **shares_as_json(row.shares),
            "carbon_mg_per_kwh": ranked.ci_mg,
            "carbon_g": row.carbon_g,
            "latency_ms": ranked.latency_ms,
            "free": ranked.free,
            "z": ranked.z,
            "fit": fit_as_json(ranked.fit),
            "sentence": row.sentence,
        }
    }


def shares_as_json(shares: RunShares) -> dict[str, int | str | None]:
    """The shares that stand beside the renewable one, and the `quality` of them all. `matched_share_ppm` is what could
    be promised (P10), null where too little is known of the plants; `matched_expected_ppm` what is expected (P50)."""
    return {
        "matched_share_ppm": shares.matched,
        "matched_expected_ppm": shares.expected,
        "grid_share_ppm": shares.grid,
        "carbon_free_share_ppm": shares.carbon_free,
        "quality": shares.quality,
    }
