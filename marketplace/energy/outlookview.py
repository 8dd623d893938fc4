"""The outlook of a listing as the API shows it."""

from collections.abc import Sequence
from typing import Any

from marketplace.common.clock import rfc3339
from marketplace.energy.models import ShareOutlook

QUANTILES = ("p10", "p50", "p90")


def outlooks_of(subject: str) -> list[ShareOutlook]:
    """What is expected of an offer (by public id), the nearest span first; empty before the first refresh."""
    return list(ShareOutlook.objects.filter(subject=subject).order_by("days"))


def outlook_as_json(subject: str) -> dict[str, Any]:
    """`outlook`, a row per span, and what was `settled` at the offer's point; None before the first refresh."""
    rows = outlooks_of(subject)
    return {"outlook": [_as_json(row) for row in rows], "settled": _settled(rows[0]) if rows else None}


def _as_json(row: ShareOutlook) -> dict[str, Any]:
    """Shares in ppm, rounded down; null where too little is known to say them."""
    return {
        "days": row.days,
        "origin": rfc3339(row.origin),
        "matched_share_ppm": _band(row.matched),
        "renewable_share_ppm": _band(row.blended),
        "grid_share_ppm": _band(row.grid),
        "paths": row.paths,
        "unproven": row.unproven,
        "history_days": row.history_days if row.supplied else None,
        "load_wh": row.load_wh,
        "quality": "sample" if row.sample else "forecast",
    }


def _band(values: Sequence[int] | None) -> dict[str, int] | None:
    return dict(zip(QUANTILES, values, strict=True)) if values else None


def _settled(row: ShareOutlook) -> dict[str, Any]:
    return {"matched_share_ppm": row.settled_ppm, "energy_wh": row.settled_wh, "uses": row.settled_uses, "months": 12}
