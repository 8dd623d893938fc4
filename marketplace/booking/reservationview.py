"""Quotes and reservations as the API shows them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marketplace.booking.models import Contract, Quote, Reservation, ReservationChange
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
    """The promise with its frozen price and terms; `contracts` are what was bought, the first one first."""
    offer, contract = reservation.offer, reservation.contract
    contracts = reservation.contracts
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
        "total_minor": sum(each.total_minor for each in contracts),
        "price_lines": summed(each.price_lines for each in contracts),
        "contracts": [contract_as_json(each) for each in contracts],
        "terms": contract.terms,
        "created_at": rfc3339(reservation.created_at),
    }


def contract_as_json(contract: Contract) -> dict[str, Any]:
    """One purchase: units of a span at a frozen price."""
    return {
        "id": contract.public_id,
        "units": contract.units,
        "start": rfc3339(contract.start),
        "end": rfc3339(contract.end),
        "total_minor": contract.total_minor,
        "price_lines": contract.price_lines,
        "created_at": rfc3339(contract.created_at),
    }


def change_as_json(change: ReservationChange) -> dict[str, Any]:
    """What a change added, with its price, or gave back, which has none."""
    bought = change.contract
    return {
        "id": change.public_id,
        "units": change.units,
        "start": rfc3339(bought.start if bought else change.start),
        "end": rfc3339(change.end),
        "contract": bought.public_id if bought else None,
        "total_minor": bought.total_minor if bought else 0,
        "price_lines": bought.price_lines if bought else [],
    }


def summed(bills: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The lines of several bills added up, in the order in which they first come."""
    amounts: dict[str, int] = {}
    for line in (line for bill in bills for line in bill):
        amounts[line["code"]] = amounts.get(line["code"], 0) + line["amount_minor"]
    return [{"code": code, "amount_minor": amount} for code, amount in amounts.items()]
