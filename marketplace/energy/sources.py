"""What an organization says of its metering points, plants and contracts; what reviewers say of them is `reviewing`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange

from accounts.models import Organization
from marketplace.common.errors import FieldProblem, IllegalState, NotFound, StaleVersion, ValidationFailed
from marketplace.common.units import PPM
from marketplace.energy.models import (
    EnergySource,
    Evidence,
    GridZone,
    MeterPoint,
    SourceKind,
    SourceShare,
    Technology,
)
from marketplace.events.services import record

WORDS = frozenset({"name"})
MEASURES = frozenset({"capacity_w", "efficiency_ppm", "commissioned_on"})  # what a reviewer has looked at
CHANGEABLE = WORDS | MEASURES | {"certificates_sold"}
UNPROVEN = frozenset({Evidence.DECLARED, Evidence.DOCUMENTS})  # evidence that backs no claim


SHARE_TAKEN = "source_share_given_once"


@contextmanager
def told_as(pointer: str, detail: str, *constraints: str) -> Iterator[None]:
    """Within, what one of `constraints` refuses is a wrong field; nothing of it stays. Raises ValidationFailed."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
        if not any(each in name for each in constraints):
            raise
        raise ValidationFailed([FieldProblem(pointer, "bad_value", detail)]) from error


def make_point(
    *, organization: Organization, code: str, zone: GridZone, pue_design_ppm: int, now: datetime,
    water_ml_per_kwh: int | None = None, hub_node: bool = False,
) -> MeterPoint:  # fmt: skip
    """A new metering point. Raises ValidationFailed for a code that is taken."""
    with told_as("/code", "this code is taken", "energy_meterpoint_code"):
        return MeterPoint.objects.create(
            organization=organization, code=code, zone=zone, pue_design_ppm=pue_design_ppm,
            water_ml_per_kwh=water_ml_per_kwh, hub_node=hub_node, created_at=now,
        )  # fmt: skip


@transaction.atomic
def make_source(
    *, organization: Organization, device_id: str, name: str, kind: str, technology: str, capacity_w: int,
    zone: GridZone, commissioned_on: date, now: datetime, efficiency_ppm: int | None = None,
    certificates_sold: bool = False,
) -> EnergySource:  # fmt: skip
    """A new source, of which nothing is known but what its owner declares. Raises ValidationFailed."""
    _check_store(kind, technology, efficiency_ppm)
    with told_as("/device_id", "this device is registered already", "energy_energysource_device_id"):
        source = EnergySource.objects.create(
            organization=organization, device_id=device_id, name=name, kind=kind, technology=technology,
            capacity_w=capacity_w, zone=zone, commissioned_on=commissioned_on, efficiency_ppm=efficiency_ppm,
            certificates_sold=certificates_sold, sample=organization.sample, created_at=now,
        )  # fmt: skip
    tell(source, "created", now)
    return source


@transaction.atomic
def change_source(*, source: EnergySource, changes: Mapping[str, Any], version: int, now: datetime) -> EnergySource:
    """New words or measures (CHANGEABLE), as decided on `version`.

    What a reviewer has looked at stays while it is verified, and certificates that are sold stay sold. A source that
    was refused or revoked waits for a reviewer again. Raises IllegalState, StaleVersion when another change was first,
    ValidationFailed.
    """
    strange = [name for name in changes if name not in CHANGEABLE]
    if strange or not changes:
        detail = f"what can change: {', '.join(sorted(CHANGEABLE))}"
        raise ValidationFailed([FieldProblem(f"/{name}", "unknown_field", detail) for name in strange or [""]])
    if source.evidence != Evidence.DECLARED and MEASURES & set(changes):
        raise IllegalState("what was verified stays as it is", state=source.evidence)
    if source.certificates_sold and not changes.get("certificates_sold", True):
        raise IllegalState("certificates that are sold serve nobody here any more", state="certificates_sold")
    if "efficiency_ppm" in changes:
        _check_store(source.kind, source.technology, changes["efficiency_ppm"])
    again = {"review_reason": ""} if source.evidence in UNPROVEN else {}  # reviewers look at it anew
    write(source, {**changes, **again}, version=version)
    tell(source, "changed", now, fields=sorted(changes))
    return source


def write(source: EnergySource, changes: Mapping[str, Any], *, version: int) -> None:
    """Write `changes` beside the next version; raises StaleVersion when another change was first."""
    if EnergySource.objects.filter(pk=source.pk, version=version).update(**changes, version=version + 1) != 1:
        raise StaleVersion(f"{source.public_id} was changed meanwhile", id=source.public_id)
    for name, value in {**changes, "version": version + 1}.items():
        setattr(source, name, value)


def tell(source: EnergySource, what: str, now: datetime, **facts: Any) -> None:
    """Leave the event of a change behind."""
    record(
        f"energy_source.{what}", object_id=source.public_id, seq=source.version, now=now,
        provider=source.organization, facts={"evidence": source.evidence, **facts},
    )  # fmt: skip


def add_share(
    *, source: EnergySource, point: MeterPoint, lower_ppm: int, upper_ppm: int, start: datetime,
    end: datetime | None = None, contract_ref: str = "",
) -> SourceShare:  # fmt: skip
    """Let the slice [lower_ppm, upper_ppm) of what a source makes serve `point` in [start, end).

    Raises NotFound for another's point, ValidationFailed for a slice of which a part serves another point already.
    """
    if point.organization_id != source.organization_id:
        raise NotFound(f"there is no metering point {point.code}")
    problems = []
    if not 0 <= lower_ppm < upper_ppm <= PPM:
        problems.append(FieldProblem("/upper_ppm", "bad_value", "a slice lies within 0 and 1000000", str(PPM)))
    if end is not None and end <= start:
        problems.append(FieldProblem("/end", "bad_value", "the end is after the start"))
    if problems:
        raise ValidationFailed(problems)
    with told_as("/lower_ppm", "a part of that slice serves a point at that time already", SHARE_TAKEN):
        return SourceShare.objects.create(
            source=source, point=point, slice=NumericRange(lower_ppm, upper_ppm), valid=DateTimeTZRange(start, end),
            contract_ref=contract_ref,
        )  # fmt: skip


def _check_store(kind: str, technology: str, efficiency_ppm: int | None) -> None:
    """Raises ValidationFailed unless a store, and nothing else, is of storage and has an efficiency."""
    is_store = kind == SourceKind.STORAGE
    problems = []
    if is_store != (technology == Technology.STORAGE):
        problems.append(FieldProblem("/technology", "bad_value", "a store, and nothing else, is of storage"))
    if is_store != (efficiency_ppm is not None):
        problems.append(FieldProblem("/efficiency_ppm", "bad_value", "a store, and nothing else, has an efficiency"))
    elif efficiency_ppm is not None and not 1 <= efficiency_ppm <= PPM:
        problems.append(FieldProblem("/efficiency_ppm", "bad_value", f"from 1 to {PPM}"))
    if problems:
        raise ValidationFailed(problems)
