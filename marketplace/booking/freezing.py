"""The contracts of many promises at once, as rows for one statement: `contracts.freeze_terms` on whole columns."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings

from marketplace.booking.contracts import terms_of, watts_with_overhead
from marketplace.booking.hours import SECONDS_OF_HOUR
from marketplace.booking.models import Contract
from marketplace.booking.pricing import LINES, amounts_minor, electricity_rate_mm
from marketplace.catalog.models import HOURS_OF_WEEK, Offer
from marketplace.common.binary import NumberLists
from marketplace.common.copying import Rows, rows_of
from marketplace.common.ids import new_ids

Ints = npt.NDArray[np.int64]
Amounts = tuple[npt.NDArray[np.object_], ...]
MONDAY = 3 * 24  # hour 0 of 1970 is a Thursday's: so many hours of its week had passed


@dataclass(frozen=True, slots=True)
class Promises:
    """Promises as columns: whom each is to (`subject` its public id, `buyer` the buyer's key) and what of which offer.

    `offer` is an index into `offers`; `start_s` and `end_s` are whole unix seconds, half-open, not empty.
    """

    subject: npt.NDArray[np.bytes_]
    buyer: Ints
    offers: Sequence[Offer]
    offer: Ints
    units: Ints
    start_s: Ints
    end_s: Ints


@dataclass(frozen=True, slots=True)
class Touched:
    """The hours that promises touch, one after another: promise `n` has [begin[n], begin[n + 1])."""

    begin: Ints
    seconds: Ints  # used of the hour, 1..3600
    rate_mm: Ints  # of compute, mm per unit-hour

    def sums(self, values: Ints) -> npt.NDArray[np.object_]:
        """The sum of each promise's `values`, as Python's integers: times units it may pass 64 bits."""
        return np.add.reduceat(values, self.begin[:-1]).astype(np.object_)


def contracts_of(*, promises: Promises, keys: Ints, now: datetime) -> Rows:
    """The contract of each promise as rows with these keys, at least one; touches no database."""
    count, row = promises.units.size, promises.offer
    touched = touched_by(promises)
    amounts = amounts_of(promises, touched)
    columns: dict[str, Any] = {
        "id": keys,
        "public_id": new_ids("ctr", count),
        "subject": promises.subject,
        "buyer": promises.buyer,
        "units": promises.units,
        "start": promises.start_s.astype("datetime64[s]"),
        "end": promises.end_s.astype("datetime64[s]"),
        "rate_mm": NumberLists("bigint", touched.rate_mm, touched.begin),
        "seconds": NumberLists("integer", touched.seconds, touched.begin),
        "price_lines": lines_of(amounts),
        "total_minor": sum(amounts),
        "fee_bp": settings.FEE_BP,
        "tax_bp": settings.TAX_BP,
        "created_at": now,
    }
    return rows_of(Contract, count, columns | _terms(promises.offers, row))


def _terms(offers: Sequence[Offer], row: Ints) -> dict[str, Any]:
    """What a contract takes over from its offer."""
    terms = [json.dumps(terms_of(each)) for each in offers]
    places = row.tolist()
    return {
        "offer": np.array([each.pk for each in offers])[row],
        "provider": np.array([each.site.provider_id for each in offers])[row],
        "electricity_mm": electricity_of(offers)[row],
        "currency": [offers[place].currency for place in places],
        "terms": [terms[place] for place in places],
    }


def electricity_of(offers: Sequence[Offer]) -> Ints:
    """mm per unit-hour of each offer."""
    return np.array([electricity_rate_mm(each.electricity_mm_per_kwh, watts_with_overhead(each)) for each in offers])


def touched_by(promises: Promises) -> Touched:
    """The hours of every promise, the first and the last perhaps in part."""
    first, beyond = promises.start_s // SECONDS_OF_HOUR, -(-promises.end_s // SECONDS_OF_HOUR)
    begin = np.concatenate([[0], np.cumsum(beyond - first)])
    of = np.repeat(np.arange(first.size), beyond - first)
    hour = np.arange(begin[-1]) - (begin[:-1] - first)[of]
    starts = np.maximum(promises.start_s[of], hour * SECONDS_OF_HOUR)
    ends = np.minimum(promises.end_s[of], (hour + 1) * SECONDS_OF_HOUR)
    week = np.array([each.rate_mm for each in promises.offers], dtype=np.int64)
    return Touched(begin, ends - starts, week[promises.offer[of], (hour + MONDAY) % HOURS_OF_WEEK])


def amounts_of(promises: Promises, touched: Touched) -> Amounts:
    """The amounts of LINES of every promise, in minor units."""
    units = promises.units.astype(np.object_)
    electricity = electricity_of(promises.offers)[promises.offer] * touched.sums(touched.seconds)
    compute = touched.sums(touched.rate_mm * touched.seconds)
    return amounts_minor(compute * units, electricity * units, settings.ADDED_FEE_BP, settings.TAX_BP)


def lines_of(amounts: Amounts) -> list[str]:
    """The lines of each promise as JSON; those of nothing are left out, but for the first."""
    first, *others = (
        [f'{{"code": "{code}", "amount_minor": {amount}}}' if amount else "" for amount in column]
        for code, column in zip(LINES, amounts, strict=True)
    )
    nothing = f'{{"code": "{LINES[0]}", "amount_minor": 0}}'
    return [
        f"[{', '.join([line or nothing, *filter(None, rest)])}]" for line, *rest in zip(first, *others, strict=True)
    ]
