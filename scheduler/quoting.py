"""Quotes: the first options of the ranking with their prices frozen for ten minutes."""

import hashlib
import hmac
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.booking.models import Quote
from marketplace.booking.services import hold_option
from marketplace.common.clock import rfc3339
from marketplace.common.ids import new_id
from scheduler.core import canonical, explain
from scheduler.errors import NoOfferFits
from scheduler.search import Need, Row, SearchResult, search

MOST_OPTIONS = 5


@transaction.atomic
def make_quote(*, buyer: Organization, need: Need, now: datetime, hold: bool = False) -> Quote:
    """Freeze up to five options for `need`; with `hold` the first is held as a reservation until the quote expires.

    Raises NoOfferFits with what each limit rejects and what would help.
    """
    result = search(need=need, now=now)
    if not result.rows:
        raise NoOfferFits(rejected=dict(result.rejected), relax=[dict(each) for each in result.relax])
    options = [option_as_json(result, row) for row in result.rows[:MOST_OPTIONS]]
    public_id = new_id("qte")
    request = request_as_json(need) | {"currency": buyer.currency}
    quote = Quote.objects.create(
        public_id=public_id, buyer=buyer, request=request, options=options, rejected=dict(result.rejected),
        considered=result.considered, signature=sign(public_id, options), created_at=now,
        expires_at=now + settings.HOLD_FOR,
    )  # fmt: skip
    if hold:
        hold_option(quote=quote, option=1, now=now)
    return quote


def sign(public_id: str, options: list[dict[str, Any]]) -> str:
    """HMAC-SHA256 over the canonical JSON of a quote, in hex: it shows that nobody changed a price."""
    key = hashlib.sha256(f"quote {settings.SECRET_KEY}".encode()).digest()
    return hmac.new(key, canonical.dump({"id": public_id, "options": options}), hashlib.sha256).hexdigest()


def request_as_json(need: Need) -> dict[str, Any]:
    """The need as it was asked, so that an expired quote can be asked for again."""
    return {
        "units": need.units,
        "hours": need.hours,
        "where": {name: value for name, value in need.limits.items()} | ({"near": need.near} if need.near else {}),
        "weights": dict(zip(("price", "latency", "green"), need.weights, strict=True)),
        "when": need.when,
        "start": rfc3339(need.start),
        "start_after": rfc3339(need.start_after),
        "finish_by": rfc3339(need.finish_by),
    }


def option_as_json(result: SearchResult, row: Row) -> dict[str, Any]:
    """One option with its frozen price and why it stands where it stands."""
    ranked = row.ranked
    told = explain.why(result.ranking, ranked)
    return {
        "rank": row.rank,
        "offer": {"id": row.offer.public_id, "title": row.offer.title, "currency": row.offer.currency},
        "site": {"id": row.offer.site.public_id, "name": row.offer.site.name, "sample": row.offer.site.sample},
        "start": rfc3339(row.start),
        "end": rfc3339(row.end),
        "units": result.need.units,
        "total_minor": row.total_minor,
        "price_lines": [line.as_dict() for line in row.price_lines],
        "unit_price_mm": ranked.price_mm,
        "pflop_hour_mm": row.pflop_hour_mm,
        "renewable_share_ppm": ranked.share_ppm,
        "carbon_mg_per_kwh": ranked.ci_mg,
        "carbon_g": row.carbon_g,
        "latency_ms": ranked.latency_ms,
        "z": ranked.z,
        "fit": explain.fit_as_json(ranked.fit),
        "why": {name: told[name] for name in ("sentence", "runner_up", "break_even")},
    }
