"""Reviewing evidence: who is outside the holder accepts or refuses it, and takes back what turns out to be wrong.

Each decision is one transaction. Withdrawn energy ends the matches that rest on it, so that no use keeps more than is
still certified, and receipts that showed it get a new version. Locks: the source, then lots by key, then hours of
generation.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F

from accounts.models import Organization, Role, User
from marketplace.common.clock import hour_floor
from marketplace.common.errors import FieldProblem, IllegalState, ValidationFailed
from marketplace.energy import sources
from marketplace.energy.errors import NotTheReviewer
from marketplace.energy.generation import Made, Slice, keep_promises, slices_of
from marketplace.energy.models import (
    CertificateLot,
    EnergySource,
    Evidence,
    GenerationHour,
    Release,
    Resolution,
    Scheme,
    SourceShare,
)
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.receipts.issuing import correct_receipts
from marketplace.energy.retiring import move_lots, refuse_lots, take_out
from marketplace.energy.states import LOT
from marketplace.events.services import move, record

REVIEWERS = (Role.AUDITOR, Role.OPERATOR)
LONGEST_REASON = 200
MOST = 5_000  # lots that are moved together


def check_reviewer(by: User, holder: Organization) -> None:
    """Raises NotTheReviewer unless `by` is an auditor or operator and no member of `holder`."""
    roles = by.memberships.filter(role__in=REVIEWERS)
    if not by.is_active or not (by.is_superuser or roles.exists()):
        raise NotTheReviewer("evidence is reviewed by auditors and operators", wanted=[str(role) for role in REVIEWERS])
    if holder.memberships.filter(user=by).exists():
        raise NotTheReviewer("nobody reviews evidence of an organization that he belongs to")


def check_reason(reason: str) -> str:
    """The reason without spaces around it; raises ValidationFailed for none and for a long one."""
    text = reason.strip()
    if not 0 < len(text) <= LONGEST_REASON:
        detail = f"a reason of 1 to {LONGEST_REASON} characters is needed"
        raise ValidationFailed([FieldProblem("/reason", "bad_value", detail)])
    return text


@transaction.atomic
def accept_lot(*, lot: CertificateLot, by: User, now: datetime) -> CertificateLot:
    """Let the energy of a pending lot be used; what was promised of it is set aside.

    Raises NotTheReviewer, IllegalState for a lot that is not pending, has expired, or is of a plant whose owner,
    another organization, keeps its certificates.
    """
    row = _locked(lot)
    check_reviewer(by, row.holder)
    LOT.check(row.state, "active")
    _check_acceptable([row], now)
    fields = {"reviewed_by": by, "reviewed_at": now}
    move(row, "active", table=LOT, now=now, provider=row.holder, fields=fields)
    _set_aside([row], now)
    return row


@transaction.atomic
def refuse_lot(*, lot: CertificateLot, by: User, reason: str, now: datetime) -> CertificateLot:
    """Refuse a pending lot; what it claimed of its plant may be claimed again. Raises NotTheReviewer, IllegalState."""
    row, reason = _locked(lot), check_reason(reason)
    check_reviewer(by, row.holder)
    refuse_lots([row], now=now, reason=reason, reviewed_by=by.pk, reviewed_at=now)
    row.refresh_from_db()
    return row


@transaction.atomic
def accept_together(*, lots: CertificateLotQuerySet, by: User, now: datetime) -> int:
    """Accept the pending ones of `lots`, the first 5,000 of them, or none; how many.

    Raises what `accept_lot` raises for the first that cannot be accepted.
    """
    rows = _pending(lots)
    for holder in {row.holder for row in rows}:
        check_reviewer(by, holder)
    _check_acceptable(rows, now)
    move_lots(rows, "active", now=now, reviewed_by=by.pk, reviewed_at=now)
    _set_aside(rows, now)
    return len(rows)


@transaction.atomic
def refuse_together(*, lots: CertificateLotQuerySet, by: User, reason: str, now: datetime) -> int:
    """Refuse the pending ones of `lots`, the first 5,000 of them; how many. Raises what `refuse_lot` raises."""
    rows, reason = _pending(lots), check_reason(reason)
    for holder in {row.holder for row in rows}:
        check_reviewer(by, holder)
    refuse_lots(rows, now=now, reason=reason, reviewed_by=by.pk, reviewed_at=now)
    return len(rows)


@transaction.atomic
def withdraw_lot(
    *, lot: CertificateLot, by: User, reason: str, now: datetime, correction: bool = False
) -> CertificateLot:
    """Take what is available and reserved of an active lot out of use, end its matches and close it.

    With `correction`, the issuer's own, what was cancelled goes too: of a lot that is closed already as well. Raises
    NotTheReviewer, IllegalState.
    """
    row, reason = _locked(lot), check_reason(reason)
    check_reviewer(by, row.holder)
    if not CertificateLot.objects.filter(pk=row.pk).withdrawable(correction=correction).exists():
        raise IllegalState(f"a lot that is {row.state} has nothing to withdraw", state=row.state, wanted="withdrawn")
    subjects = _take_out([row], reason=reason, now=now, correction=correction)
    facts = {"reason": reason, "subjects": subjects, "correction": correction}
    fields = {"reviewed_by": by, "reviewed_at": now, "reason": reason}
    if row.state == "active":
        move(row, "closed", table=LOT, now=now, reason="withdrawn", provider=row.holder, facts=facts, fields=fields)
    else:
        CertificateLot.objects.filter(pk=row.pk).update(**fields, version=F("version") + 1)
        record(
            "certificate_lot.corrected", object_id=row.public_id, seq=row.version + 1, now=now, state=row.state,
            provider=row.holder, facts=facts,
        )  # fmt: skip
    correct_receipts(subjects=subjects, now=now)
    row.refresh_from_db()
    return row


@transaction.atomic
def verify_source(
    *, source: EnergySource, evidence: str, by: User, now: datetime, evidence_sha256: str = "", note: str = ""
) -> EnergySource:
    """Raise what is known of a source to `evidence`; once it backs claims, its pending on-site records become usable.

    Raises NotTheReviewer, IllegalState for a source of which as much is known, ValidationFailed.
    """
    row = _locked_source(source)
    check_reviewer(by, row.organization)
    order = Evidence.values
    if evidence not in order[1:]:
        raise ValidationFailed([FieldProblem("/evidence", "bad_value", "no such evidence", ", ".join(order[1:]))])
    if order.index(evidence) <= order.index(row.evidence):
        raise IllegalState(f"the evidence of {row.device_id} is {row.evidence} already", state=row.evidence)
    facts = {
        "evidence": evidence, "verified_by": by, "verified_at": now, "evidence_sha256": evidence_sha256,
        "review_reason": note.strip()[:LONGEST_REASON],
    }  # fmt: skip
    sources.write(row, facts, version=row.version)
    lots = 0
    if row.backs_claims:
        for pending in _in_parts(CertificateLot.objects.on_site_of(row).pending()):
            move_lots(pending, "active", now=now, reviewed_by=by.pk, reviewed_at=now)
            _set_aside(pending, now)
            lots += len(pending)
    sources.tell(row, "verified", now, lots=lots)
    return row


@transaction.atomic
def refuse_source(*, source: EnergySource, by: User, reason: str, now: datetime) -> EnergySource:
    """Raise nothing of what is known of a source; its owner reads why, and any change of his asks anew.

    Records that wait go on waiting. Raises NotTheReviewer, ValidationFailed, IllegalState for a source whose evidence
    backs claims: that is revoked.
    """
    row, reason = _locked_source(source), check_reason(reason)
    check_reviewer(by, row.organization)
    if row.evidence not in sources.UNPROVEN:
        raise IllegalState(f"the evidence of {row.device_id} is {row.evidence}: revoke it", state=row.evidence)
    sources.write(row, {"review_reason": reason}, version=row.version)
    sources.tell(row, "refused", now, reason=reason)
    return row


@transaction.atomic
def revoke_source(
    *, source: EnergySource, by: User, reason: str, now: datetime, correction: bool = False
) -> EnergySource:
    """Take back what was verified of a source, and withdraw its on-site records as `withdraw_lot` does.

    Records that still wait go on waiting. Raises NotTheReviewer, IllegalState for a source that nobody has verified.
    """
    row, reason = _locked_source(source), check_reason(reason)
    check_reviewer(by, row.organization)
    if row.evidence == Evidence.DECLARED:
        raise IllegalState(f"nobody has verified {row.device_id}", state=row.evidence)
    facts = {"evidence": Evidence.DECLARED, "verified_by": None, "verified_at": None, "review_reason": reason}
    sources.write(row, facts, version=row.version)
    subjects: set[str] = set()
    for lots in _in_parts(CertificateLot.objects.on_site_of(row).withdrawable(correction=correction)):
        subjects |= set(_take_out(lots, reason=reason, now=now, correction=correction))
        active = [lot for lot in lots if lot.state == "active"]
        move_lots(active, "closed", now=now, reviewed_by=by.pk, reviewed_at=now, reason=reason)
    correct_receipts(subjects=subjects, now=now)
    sources.tell(row, "revoked", now, reason=reason, subjects=sorted(subjects), correction=correction)
    return row


def _locked(lot: CertificateLot) -> CertificateLot:
    rows = CertificateLot.objects.select_for_update(of=("self",)).select_related("issuance__source", "holder")
    return rows.get(pk=lot.pk)


def _pending(lots: CertificateLotQuerySet) -> list[CertificateLot]:
    rows = lots.pending().select_for_update(of=("self",)).select_related("issuance__source", "holder").order_by("pk")
    return list(rows[:MOST])


def _locked_source(source: EnergySource) -> EnergySource:
    rows = EnergySource.objects.select_for_update(of=("self",), no_key=True).select_related("organization")
    return rows.get(pk=source.pk)


def _in_parts(lots: CertificateLotQuerySet) -> Iterable[list[CertificateLot]]:
    """The lots in the order of their keys, locked, some thousands at a time."""
    last = 0
    rows = lots.select_related("issuance__source").select_for_update(of=("self",)).order_by("pk")
    while part := list(rows.filter(pk__gt=last)[:MOST]):
        yield part
        last = part[-1].pk


def _take_out(lots: Sequence[CertificateLot], *, reason: str, now: datetime, correction: bool) -> list[str]:
    states = ("available", "reserved", "cancelled") if correction else ("available", "reserved")
    return take_out(lots=[lot.pk for lot in lots], states=states, to="withdrawn", now=now, reason=reason)


def _check_acceptable(lots: Sequence[CertificateLot], now: datetime) -> None:
    """Raises IllegalState for the first that has expired, or is of a plant that another organization keeps its own."""
    kept = kept_by_their_owners(lots)
    for lot in lots:
        issued = lot.issuance
        if issued.expires_at is not None and issued.expires_at <= now:
            raise IllegalState(f"the certificate of {lot.public_id} has expired", state=lot.state, wanted="active")
        if lot.pk in kept:
            raise IllegalState(f"the owner of {issued.device_id} has not sold its certificates", state=lot.state)


def kept_by_their_owners(lots: Collection[CertificateLot]) -> set[int]:
    """Which of `lots` (by key) are of plants that another organization meters here for claims of its own."""
    owners = {
        device: owner
        for device, owner in EnergySource.objects.filter(
            device_id__in={lot.issuance.device_id for lot in lots}, certificates_sold=False
        ).values_list("device_id", "organization_id")
    }
    return {
        lot.pk
        for lot in lots
        if lot.issuance.source_id is None and owners.get(lot.issuance.device_id, lot.holder_id) != lot.holder_id
    }


def _set_aside(lots: Sequence[CertificateLot], now: datetime) -> None:
    """Let promises have their parts of lots that have just become usable."""
    hourly = [lot for lot in lots if lot.issuance.temporal_resolution == Resolution.HOUR]
    keys = {lot.issuance.source_id for lot in hourly if lot.issuance.source_id is not None}
    shares: dict[int | None, list[SourceShare]] = {}
    for share in SourceShare.objects.filter(source__in=keys).order_by("slice"):
        shares.setdefault(share.source_id, []).append(share)
    hours = GenerationHour.objects.filter(source__in=keys, start__in={hour_floor(lot.issuance.start) for lot in hourly})
    made: dict[tuple[int | None, datetime], int] = {
        (source, start): wh for source, start, wh in hours.values_list("source_id", "start", "wh")
    }
    found = []
    for lot in hourly:
        source, start = lot.issuance.source_id, hour_floor(lot.issuance.start)
        hour = Made(start, made.get((source, start), 0))
        part = _slice_of(lot, shares.get(source, []), hour)
        if part:
            found.append((lot.pk, part, start))
    if found:
        keep_promises(lots=found, now=now)


def _slice_of(lot: CertificateLot, shares: Sequence[SourceShare], hour: Made) -> Slice | None:
    """The part of its plant's hour that a lot is: of an on-site record exactly, else by the point that it serves."""
    lower, upper = lot.wh_range.lower, lot.wh_range.upper
    here = [share for share in shares if share.point_id == lot.point_id]
    if (lot.issuance.scheme, lot.issuance.release) == (Scheme.METER, Release.PRODUCTION):
        return next((each for each in slices_of(here, 0, hour) if (each.lower, each.upper) == (lower, upper)), None)
    serving = next((share for share in here if hour.start in share.valid), None)
    return Slice(0, serving, lower, upper) if serving else None
