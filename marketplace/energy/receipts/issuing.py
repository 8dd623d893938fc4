"""The life of a receipt: provisional when the work ends, settled 72 hours later, final when its energy is cancelled.

Each step is a new version that carries the hash of the one before. On-site energy is cancelled here; other energy by
its holder at the registry, whose statement is told by `confirm_cancellation` (`statements`). What is not cancelled 45
days after the end is given back. Locks: the subject's step, then uses and lots.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from marketplace.common.clock import hour_ceil
from marketplace.common.errors import DomainError
from marketplace.energy.models import (
    CertificateLot,
    CertificateSpan,
    GreenReceipt,
    ReceiptStatus,
    ReceiptStep,
    Scheme,
    UseHour,
)
from marketplace.energy.models.receipts import Step
from marketplace.energy.receipts.payload import Work, frozen
from marketplace.energy.receipts.versions import Draft, following, write_versions
from marketplace.energy.settling import SETTLE_AFTER
from marketplace.energy.supply import Move, move_wh, release_subject, release_unmatched, reserved_of

log = logging.getLogger(__name__)
PURPOSE = "electricity for computing"
FINAL_AFTER = timedelta(days=45)
AGAIN = timedelta(hours=1)
Act = Callable[..., list[GreenReceipt]]


def call_receipts(*, subjects: Sequence[str], now: datetime) -> int:
    """The work of `subjects` has ended: their receipts are due. How many were not called before."""
    waiting = ReceiptStep.objects.filter(subject__in=subjects, step=Step.PROVISIONAL, due_at=None)
    return waiting.update(due_at=now)


def steps_due(*, step: str, now: datetime, most: int = 200) -> list[str]:
    """The subjects whose next step is `step` and due, the longest due first."""
    due = ReceiptStep.objects.filter(step=step, due_at__lte=now).order_by("due_at", "pk")
    return list(due.values_list("subject", flat=True)[:most])


@transaction.atomic
def issue_provisional(*, work: Work, now: datetime) -> GreenReceipt:
    """The first version of a receipt; one that is there already is answered unchanged.

    Raises NoHistory where nothing is known of the grid, ReceiptNumberTooLarge.
    """
    step = ReceiptStep.objects.select_for_update(of=("self",)).get(subject=work.subject)
    there = GreenReceipt.objects.of_subject(work.subject).last()
    if there is not None:
        return there
    [receipt] = write_versions(drafts=[Draft(frozen(work), ReceiptStatus.PROVISIONAL, work.buyer)], now=now)
    _put([step], Step.SETTLED, hour_ceil(work.end) + SETTLE_AFTER)
    return receipt


@transaction.atomic
def settle_receipts(*, subjects: Sequence[str], now: datetime) -> list[GreenReceipt]:
    """The versions after settling, of those whose hours are all settled: final where nothing waits for a statement.

    The others are looked at again in an hour.
    """
    steps = _locked(subjects, Step.SETTLED)
    unsettled = set(UseHour.objects.filter(subject__in=steps, settled_at=None).values_list("subject", flat=True))
    _put([steps.pop(subject) for subject in unsettled], Step.SETTLED, now + AGAIN)
    before = {last.subject: last for last in GreenReceipt.objects.last_of(steps).select_related("buyer")}
    release_unmatched(subjects=steps, now=now)
    _cancel_onsite(before, now)
    waiting = _reserved(steps)
    for subject in waiting:
        steps[subject].step, steps[subject].due_at = Step.FINAL, before[subject].end + FINAL_AFTER
    ReceiptStep.objects.bulk_update([steps[subject] for subject in waiting], ["step", "due_at"])
    _put([step for subject, step in steps.items() if subject not in waiting], Step.DONE, None)
    provisional, final = ReceiptStatus.PROVISIONAL, ReceiptStatus.FINAL
    drafts = [following(before[each], provisional if each in waiting else final) for each in steps]
    return write_versions(drafts=drafts, now=now)


@transaction.atomic
def finish_receipts(*, subjects: Sequence[str], now: datetime) -> list[GreenReceipt]:
    """The final versions: when everything reserved has been cancelled, or at the end of the time for it, which gives
    the rest back."""
    steps = _locked(subjects, Step.FINAL)
    reserved_of(steps)  # locks their lots
    for subject in _reserved(steps):
        due_at = steps[subject].due_at
        if due_at is not None and now < due_at:
            del steps[subject]
        else:
            release_subject(subject=subject, now=now)
    _put(list(steps.values()), Step.DONE, None)
    before = GreenReceipt.objects.last_of(steps).select_related("buyer")
    return write_versions(drafts=[following(each, ReceiptStatus.FINAL) for each in before], now=now)


@transaction.atomic
def correct_receipts(*, subjects: Collection[str], now: datetime) -> list[GreenReceipt]:
    """A new version for each of `subjects` whose energy was corrected, in the status that its last one has."""
    list(ReceiptStep.objects.select_for_update(of=("self",)).filter(subject__in=subjects).order_by("pk"))
    before = GreenReceipt.objects.last_of(subjects).select_related("buyer")
    return write_versions(drafts=[following(each, each.status) for each in before], now=now)


def advance_receipts(*, now: datetime) -> int:
    """Take every step that is due after the provisional one; how many versions were issued.

    One that cannot be taken yet is told in the log and put off.
    """
    issued = 0
    for step, act in ((Step.SETTLED, settle_receipts), (Step.FINAL, finish_receipts)):
        while subjects := steps_due(step=step, now=now):
            issued += _take(act, subjects, now)
    return issued


def _take(act: Act, subjects: Sequence[str], now: datetime) -> int:
    """Take the step of all `subjects` together. Where one of them cannot, each half for itself: so it is found."""
    try:
        return len(act(subjects=subjects, now=now))
    except DomainError as error:
        if len(subjects) == 1:
            put_off(subject=subjects[0], error=error, now=now)
            return 0
    half = len(subjects) // 2
    return _take(act, subjects[:half], now) + _take(act, subjects[half:], now)


def put_off(*, subject: str, error: DomainError, now: datetime) -> None:
    """The next step of a receipt cannot be taken yet: it is tried again in an hour, and the log says why."""
    log.warning("the receipt of %s is put off: %s", subject, error.detail)
    ReceiptStep.objects.filter(subject=subject).update(due_at=now + AGAIN)


def _locked(subjects: Collection[str], step: str) -> dict[str, ReceiptStep]:
    """The steps of those of `subjects` whose next one is `step`, locked."""
    rows = ReceiptStep.objects.filter(subject__in=subjects, step=step)
    return {row.subject: row for row in rows.select_for_update(of=("self",)).order_by("pk")}


def _put(steps: Collection[ReceiptStep], to: str, due_at: datetime | None) -> None:
    if steps:
        ReceiptStep.objects.filter(pk__in=[step.pk for step in steps]).update(step=to, due_at=due_at)


def _reserved(subjects: Collection[str]) -> set[str]:
    """Those of `subjects` for whom anything is reserved."""
    spans = CertificateSpan.objects.filter(subject__in=subjects, state="reserved")
    return set(spans.values_list("subject", flat=True))


def _cancel_onsite(before: Mapping[str, GreenReceipt], now: datetime) -> None:
    """Retire the on-site energy that matches each subject, for its buyer."""
    reserved = reserved_of(before)
    lots = {piece.lot for pieces in reserved.values() for piece in pieces}
    onsite = set(CertificateLot.objects.filter(pk__in=lots, issuance__scheme=Scheme.METER).values_list("pk", flat=True))
    moves = []
    for subject, pieces in reserved.items():
        if mine := [piece for piece in pieces if piece.lot in onsite]:
            receipt = before[subject]
            moves.append(
                Move(
                    mine, "reserved", "cancelled", subject, purpose=PURPOSE,
                    beneficiary=receipt.payload["buyer"]["name"], statement_ref=receipt.public_id,
                )
            )  # fmt: skip
    if moves:
        move_wh(moves=moves, now=now)
