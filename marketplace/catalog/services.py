"""What a provider can do with an offer."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Offer, Site, Term, Tier
from marketplace.catalog.states import OFFER
from marketplace.common.errors import FieldProblem, IllegalState, StaleVersion, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move, record

MOST_UNITS = 100_000
MOST_RATE_MM = 10**12
TITLE_LENGTH = 80
DESCRIPTION_LENGTH = 400
DAY_SECONDS = 86_400
BOUNDS = {
    "units": (1, MOST_UNITS),
    "rate_mm": (0, MOST_RATE_MM),
    "electricity_mm_per_kwh": (0, 10**9),
    "notice_s": (0, DAY_SECONDS),
    "boot_s": (0, DAY_SECONDS),
}


@transaction.atomic
def create_offer(
    *,
    site: Site,
    hardware: HardwareClass,
    title: str,
    units: int,
    rate_mm: int,
    now: datetime,
    tier: str = Tier.FIRM,
    term: str = Term.ON_DEMAND,
    electricity_mm_per_kwh: int = 0,
    notice_s: int = 120,
    boot_s: int = 60,
    egress: bool = False,
    description: str = "",
) -> Offer:
    """A draft with one price for every hour of the week, in the currency of the site's provider.

    Rates are in thousandths of a minor unit. Booking keeps its hours (`ensure_capacity`). Raises ValidationFailed.
    """
    numbers = {
        "units": units, "rate_mm": rate_mm, "electricity_mm_per_kwh": electricity_mm_per_kwh,
        "notice_s": notice_s, "boot_s": boot_s,
    }  # fmt: skip
    problems = [
        *_words_problems(title, description),
        *(each for name, value in numbers.items() for each in _whole_problems(f"/{name}", value, *BOUNDS[name])),
        *_choice_problems("/tier", tier, Tier.values),
        *_choice_problems("/term", term, Term.values),
    ]
    if problems:
        raise ValidationFailed(problems)
    offer = Offer.objects.create(
        public_id=new_id("ofr"), site=site, hardware=hardware, title=title.strip(), units=units, tier=tier, term=term,
        currency=site.provider.currency, rate_mm=[rate_mm] * HOURS_OF_WEEK, notice_s=notice_s, boot_s=boot_s,
        electricity_mm_per_kwh=electricity_mm_per_kwh, egress=egress, description=description.strip(),
        sample=site.sample, created_at=now,
    )  # fmt: skip
    _tell("created", offer, now)
    return offer


@transaction.atomic
def reprice_hours(*, offer: Offer, rates_mm: Mapping[int, int], version: int, now: datetime) -> Offer:
    """New rates for some hours of the UTC week (0 is Monday 00:00); contracts keep theirs.

    `version` is the one the change was decided on. Raises StaleVersion when another change was first, IllegalState for
    a retired offer, ValidationFailed for an hour or a rate out of range, or when nothing is left to change.
    """
    problems = [
        problem
        for hour, rate in rates_mm.items()
        for problem in (
            *_whole_problems("/rates_mm", hour, 0, HOURS_OF_WEEK - 1),
            *_whole_problems(f"/rates_mm/{hour}", rate, 0, MOST_RATE_MM),
        )
    ]
    if not rates_mm:
        problems = [FieldProblem("/rates_mm", "required", "name at least one hour of the week", "0 is Monday 00:00")]
    if problems:
        raise ValidationFailed(problems)
    if offer.state in OFFER.final:
        raise IllegalState(f"a {offer.state} offer keeps its prices", state=offer.state)
    rates = [rates_mm.get(hour, rate) for hour, rate in enumerate(offer.rate_mm)]
    guarded = Offer.objects.filter(pk=offer.pk, version=version, state=offer.state)
    if guarded.update(rate_mm=rates, version=version + 1) != 1:
        raise StaleVersion(f"{offer.public_id} was changed meanwhile", id=offer.public_id)
    offer.rate_mm, offer.version = rates, version + 1
    _tell("price_changed", offer, now, hours=len(rates_mm))
    return offer


def _tell(what: str, offer: Offer, now: datetime, **facts: int) -> None:
    """Leave the event of a change that is no move."""
    record(
        f"offer.{what}", object_id=offer.public_id, seq=offer.version, now=now, state=offer.state,
        provider=offer.site.provider, facts=facts,
    )  # fmt: skip


def _words_problems(title: str, description: str) -> list[FieldProblem]:
    problems = []
    if not title.strip():
        problems.append(FieldProblem("/title", "required", "an offer needs a title"))
    if len(title) > TITLE_LENGTH:
        problems.append(FieldProblem("/title", "max_length", f"at most {TITLE_LENGTH} characters"))
    if len(description) > DESCRIPTION_LENGTH:
        problems.append(FieldProblem("/description", "max_length", f"at most {DESCRIPTION_LENGTH} characters"))
    return problems


def _whole_problems(pointer: str, value: int, least: int, most: int) -> list[FieldProblem]:
    if isinstance(value, bool) or not isinstance(value, int):
        return [FieldProblem(pointer, "bad_value", "must be a whole number", str(least))]
    if not least <= value <= most:
        nearest = str(min(max(value, least), most))
        return [FieldProblem(pointer, "bad_value", f"must be from {least} to {most}", nearest)]
    return []


def _choice_problems(pointer: str, value: str, known: list[str]) -> list[FieldProblem]:
    return [] if value in known else [FieldProblem(pointer, "bad_value", f"one of {', '.join(known)}", known[0])]


@transaction.atomic
def publish_offer(*, offer: Offer, now: datetime) -> Offer:
    """Put an offer on the shelf. Raises IllegalState, ValidationFailed for an offer without a price."""
    if not any(offer.rate_mm):
        raise ValidationFailed([FieldProblem("/rate_mm", "bad_value", "an offer needs a price before it is published")])
    _move(offer, "live", now=now, paused_reason="")
    return offer


@transaction.atomic
def pause_offer(*, offer: Offer, now: datetime, reason: str = "") -> Offer:
    """Take an offer off the shelf for now; promises already made stay. Raises IllegalState."""
    _move(offer, "paused", now=now, reason="paused", paused_reason=reason[:200])
    return offer


@transaction.atomic
def retire_offer(*, offer: Offer, now: datetime) -> Offer:
    """Take an offer off the shelf for good. Raises IllegalState."""
    _move(offer, "retired", now=now)
    return offer


def _move(offer: Offer, to: str, *, now: datetime, reason: str = "", **fields: object) -> None:
    move(offer, to, table=OFFER, now=now, reason=reason, provider=offer.site.provider, fields=fields)
