"""Quotes: the first options of the ranking with their prices frozen for ten minutes."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.booking.greenpromises import promisable_percent
from marketplace.booking.models import Quote
from marketplace.booking.services import hold_option
from marketplace.common.clock import rfc3339
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.ids import new_id
from scheduler.core import canonical, explain
from scheduler.core.cutting import cuts_on, pays
from scheduler.core.survey import Round
from scheduler.errors import NoOfferFits
from scheduler.pieceplan import pieces_as_json
from scheduler.search import Need, Row, SearchResult, search
from scheduler.searchview import shares_as_json

MOST_OPTIONS = 5


@transaction.atomic
def make_quote(
    *, buyer: Organization, need: Need, now: datetime, hold: bool = False, lasts: timedelta | None = None
) -> Quote:
    """Freeze up to five options for `need`; with `hold` the first is held as a reservation until the quote expires.

    It `lasts` ten minutes unless more is said. Only offers in the buyer's own currency are quoted. Raises NoOfferFits
    with what each limit rejects and what would help, ValidationFailed for a need in another currency.
    """
    need = replace(need, limits=dict(need.limits) | {"currency": [_wallet(buyer, need)]})
    result = search(need=need, now=now)
    if not result.rows:
        raise NoOfferFits(rejected=dict(result.rejected), relax=[dict(each) for each in result.relax])
    rows = result.rows[:MOST_OPTIONS]
    options = [
        option_as_json(result, row) | {"promisable_percent": _promisable(need, row, now)} | pieces
        for row, pieces in zip(rows, _in_pieces(result, rows), strict=True)
    ]
    public_id = new_id("qte")
    request = request_as_json(need) | {"currency": buyer.currency}
    quote = Quote.objects.create(
        public_id=public_id, buyer=buyer, request=request, options=options, rejected=dict(result.rejected),
        considered=result.considered, signature=sign(public_id, options), created_at=now,
        expires_at=now + (lasts or settings.HOLD_FOR),
    )  # fmt: skip
    if hold:
        hold_option(quote=quote, option=1, now=now)
    return quote


def _in_pieces(result: SearchResult, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What a job would have of each option in pieces, null where that is no better; nothing unless it was asked for.

    An option itself is one span: that is what a reservation of it takes.
    """
    need = result.need
    if need.max_pieces == 1:
        return [{} for _ in rows]
    cuts = cuts_on(Round(result.snapshot), result.ask, [row.ranked for row in rows])
    pairs = zip(rows, cuts, strict=True)
    better = [(row, cut if cut and pays(cut, row.ranked.z) else None) for row, cut in pairs]
    told = [
        cut and pieces_as_json(
            cut=cut, offer=row.offer, whole=row.ranked, beside=row.offer, snapshot=result.snapshot, units=need.units,
            restart_s=need.restart_s,
        )
        for row, cut in better
    ]  # fmt: skip
    return [{"in_pieces": each} for each in told]


def _promisable(need: Need, row: Row, now: datetime) -> int:
    """How much of the option's energy could be promised to be matched by the hour, in whole per cent."""
    return promisable_percent(offer=row.offer, units=need.units, start=row.start, end=row.end, now=now)


def _wallet(buyer: Organization, need: Need) -> str:
    """The currency that the buyer pays in."""
    asked = need.limits.get("currency")
    if asked and buyer.currency not in asked:
        detail = f"your organization pays in {buyer.currency}"
        raise ValidationFailed([FieldProblem("/where/currency", "bad_value", detail, buyer.currency)])
    return buyer.currency


def sign(public_id: str, options: list[dict[str, Any]]) -> str:
    """HMAC-SHA256 over the canonical JSON of a quote, in hex: it shows that nobody changed a price."""
    key = hashlib.sha256(f"quote {settings.SECRET_KEY}".encode()).digest()
    return hmac.new(key, canonical.dump({"id": public_id, "options": options}), hashlib.sha256).hexdigest()


def request_as_json(need: Need) -> dict[str, Any]:
    """The need as it was asked, in the words of a quote's body: `need_again` reads it."""
    where = {name: _plain(value) for name, value in need.limits.items()}
    return {
        "units": need.units,
        "hours": need.hours,
        "where": where | ({"near": need.near} if need.near else {}),
        "text": need.text,
        "weights": dict(zip(("price", "latency", "green"), need.weights, strict=True)),
        "when": need.when,
        "start": rfc3339(need.start),
        "start_after": rfc3339(need.start_after),
        "finish_by": rfc3339(need.finish_by),
    } | ({"max_pieces": need.max_pieces, "restart_s": need.restart_s} if need.max_pieces > 1 else {})


def need_again(request: Mapping[str, Any], now: datetime) -> Need:
    """The need of a stored request as it can be asked for now: a start that has passed is chosen anew."""
    limits = dict(request["where"])
    start, after, finish = (_moment(request[name]) for name in ("start", "start_after", "finish_by"))
    weights = request["weights"]
    return Need(
        units=request["units"], hours=request["hours"], near=limits.pop("near", None), when=request["when"],
        weights=(weights["price"], weights["latency"], weights["green"]), limits=limits, text=request.get("text", ""),
        start=start if start and start > now else None, start_after=after, finish_by=finish,
        max_pieces=request.get("max_pieces", 1), restart_s=request.get("restart_s", 0),
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """A limit as JSON writes it."""
    return float(value) if isinstance(value, Decimal) else value


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


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
        **shares_as_json(row.shares),
        "carbon_mg_per_kwh": ranked.ci_mg,
        "carbon_g": row.carbon_g,
        "latency_ms": ranked.latency_ms,
        "z": ranked.z,
        "fit": explain.fit_as_json(ranked.fit),
        "why": {name: told[name] for name in ("sentence", "runner_up", "break_even")},
    }
