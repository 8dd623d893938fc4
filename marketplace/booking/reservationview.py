"""Quotes and reservations as the API shows them."""

from typing import Any

from marketplace.booking.models import Quote, Reservation
from marketplace.common.clock import rfc3339


def quote_as_json(quote: Quote) -> dict[str, Any]:
    """The frozen answer."""
    return {
        "object": "quote",
        "id": quote.public_id,
        "as_of": rfc3339(quote.created_at),
        "expires_at": rfc3339(quote.expires_at),
        "currency": quote.request["currency"],
        "signature": quote.signature,
        "request": quote.request,
        "options": quote.options,
        "rejected": quote.rejected,
        "considered": quote.considered,
    }


def reservation_as_json(reservation: Reservation) -> dict[str, Any]:
    """The promise with its frozen price and terms."""
    offer, contract = reservation.offer, reservation.contract
    return {
        "object": "reservation",
        "id": reservation.public_id,
        "state": reservation.state,
        "reason": reservation.reason or None,
        "version": reservation.version,
        "offer": {"id": offer.public_id, "title": offer.title},
        "site": {"id": offer.site.public_id, "name": offer.site.name, "sample": offer.site.sample},
        "hardware": offer.hardware.accelerator,
        "units": reservation.units,
        "start": rfc3339(reservation.start),
        "end": rfc3339(reservation.end),
        "expires_at": rfc3339(reservation.expires_at) if reservation.state == "held" else None,
        "currency": contract.currency,
        "total_minor": contract.total_minor,
        "price_lines": contract.price_lines,
        "terms": contract.terms,
        "created_at": rfc3339(reservation.created_at),
    }
