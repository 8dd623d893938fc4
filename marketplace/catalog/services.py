"""What a provider can do with an offer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Offer, Site, Term, Tier
from marketplace.catalog.states import OFFER
from marketplace.common.errors import FieldProblem, IllegalState, StaleVersion, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move, record

MOST_UNITS = 100_000
MOST_RATE_MM = 10**12
LENGTHS = {"title": 80, "description": 400}
CHOICES = {"tier": Tier.values, "term": Term.values}
DAY_SECONDS = 86_400
BOUNDS = {
    "units": (1, MOST_UNITS),
    "rate_mm": (0, MOST_RATE_MM),
    "electricity_mm_per_kwh": (0, 10**9),
    "notice_s": (0, DAY_SECONDS),
    "boot_s": (0, DAY_SECONDS),
}
CHANGEABLE = frozenset({
    "title", "description", "tier", "term", "electricity_mm_per_kwh", "notice_s", "boot_s", "egress",
})  # fmt: skip


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
    twin: Offer | None = None,
) -> Offer:
    """A draft with one price for every hour of the week, in the currency of the site's provider.

    Rates are in thousandths of a minor unit. Booking keeps its hours (`ensure_capacity`). An interruptible offer that
    names a firm `twin` sells the same machines, as far as the twin has not sold them. Raises ValidationFailed.
    """
    _check({
        "title": title, "description": description, "units": units, "rate_mm": rate_mm, "tier": tier, "term": term,
        "electricity_mm_per_kwh": electricity_mm_per_kwh, "notice_s": notice_s, "boot_s": boot_s,
    })  # fmt: skip
    if twin is not None:
        _check_twin(twin, site, hardware, tier, units)
    offer = Offer.objects.create(
        public_id=new_id("ofr"), site=site, hardware=hardware, title=title.strip(), units=units, tier=tier, term=term,
        currency=site.provider.currency, rate_mm=[rate_mm] * HOURS_OF_WEEK, notice_s=notice_s, boot_s=boot_s,
        electricity_mm_per_kwh=electricity_mm_per_kwh, egress=egress, description=description.strip(),
        sample=site.sample, twin=twin, created_at=now,
    )  # fmt: skip
    _tell("created", offer, now)
    return offer


@transaction.atomic
def change_offer(*, offer: Offer, changes: Mapping[str, Any], version: int, now: datetime) -> Offer:
    """New words and terms (CHANGEABLE) for promises made from now on; contracts keep theirs.

    Rates change by `reprice_hours`, units with the hours that hold them. `version` is the one the change was decided
    on. Raises StaleVersion when another change was first, IllegalState for a retired offer, ValidationFailed.
    """
    strange = [name for name in changes if name not in CHANGEABLE]
    if strange or not changes:
        names = ", ".join(sorted(CHANGEABLE))
        pointers = [f"/{name}" for name in strange] or [""]
        raise ValidationFailed([FieldProblem(each, "unknown_field", f"what can change: {names}") for each in pointers])
    _check(changes)
    if changes.get("tier", offer.tier) != offer.tier and Offer.objects.sharing_with(offer).exists():
        raise ValidationFailed([FieldProblem("/tier", "bad_value", "two offers share these machines by their tiers")])
    if offer.state in OFFER.final:
        raise IllegalState(f"a {offer.state} offer stays as it is", state=offer.state)
    values = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
    guarded = Offer.objects.filter(pk=offer.pk, version=version, state=offer.state)
    if guarded.update(**values, version=version + 1) != 1:
        raise StaleVersion(f"{offer.public_id} was changed meanwhile", id=offer.public_id)
    for name, value in (values | {"version": version + 1}).items():
        setattr(offer, name, value)
    _tell("changed", offer, now, fields=sorted(values))
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


def _tell(what: str, offer: Offer, now: datetime, **facts: int | list[str]) -> None:
    """Leave the event of a change that is no move."""
    record(
        f"offer.{what}", object_id=offer.public_id, seq=offer.version, now=now, state=offer.state,
        provider=offer.site.provider, facts=facts,
    )  # fmt: skip


def _check_twin(twin: Offer, site: Site, hardware: HardwareClass, tier: str, units: int) -> None:
    """Raises ValidationFailed where the new offer cannot sell the machines of `twin`."""
    problems = []
    if tier != Tier.INTERRUPTIBLE:
        problems.append(
            FieldProblem("/tier", "bad_value", "only an interruptible offer has a twin", Tier.INTERRUPTIBLE)
        )
    if (twin.tier, twin.site_id, twin.hardware_id) != (Tier.FIRM, site.pk, hardware.pk):
        problems.append(FieldProblem("/twin", "bad_value", "the twin is a firm offer of the same site and hardware"))
    elif Offer.objects.filter(twin=twin).exists():
        problems.append(FieldProblem("/twin", "bad_value", "another interruptible offer sells these machines already"))
    elif units != twin.units:
        problems.append(FieldProblem("/units", "bad_value", "its twin has the same machines", str(twin.units)))
    if problems:
        raise ValidationFailed(problems)


def _check(values: Mapping[str, Any]) -> None:
    """Raises ValidationFailed with every field of an offer that cannot be so."""
    problems = []
    for name, value in values.items():
        pointer = f"/{name}"
        if name in BOUNDS:
            problems += _whole_problems(pointer, value, *BOUNDS[name])
        elif name in CHOICES:
            problems += _choice_problems(pointer, value, CHOICES[name])
        elif name in LENGTHS:
            problems += _words_problems(pointer, value, LENGTHS[name])
    if problems:
        raise ValidationFailed(problems)


def _words_problems(pointer: str, text: str, length: int) -> list[FieldProblem]:
    if pointer == "/title" and not text.strip():
        return [FieldProblem(pointer, "required", "an offer needs a title")]
    return [FieldProblem(pointer, "max_length", f"at most {length} characters")] if len(text) > length else []


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
