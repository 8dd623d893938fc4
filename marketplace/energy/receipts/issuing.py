"""The life of a receipt: provisional when the work ends, settled 72 hours later, final when its energy is cancelled.

Each step is a new version that carries the hash of the one before. On-site energy is cancelled here; other energy by
its holder at the registry, whose statement is told by `confirm_cancellation` (`statements`). What is not cancelled 45
days after the end is given back. Locks: the subject's step, then uses and lots.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.common.clock import hour_ceil, read_rfc3339, rfc3339
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from marketplace.energy.models import (
    CertificateSpan,
    GreenPromise,
    GreenReceipt,
    MeterPoint,
    PromiseMiss,
    ReceiptKey,
    ReceiptStatus,
    ReceiptStep,
    Scheme,
    UseHour,
)
from marketplace.energy.models.receipts import Step
from marketplace.energy.receipts.gathering import gather
from marketplace.energy.receipts.payload import Work, compose, frozen, kept_of
from marketplace.energy.receipts.signing import Signer, canonical, sha256_of
from marketplace.energy.settling import SETTLE_AFTER
from marketplace.energy.supply import Move, Piece, lock_lots, move_wh, release_subject, release_unmatched
from marketplace.events.services import record

log = logging.getLogger(__name__)
PURPOSE = "electricity for computing"
FINAL_AFTER = timedelta(days=45)
AGAIN = timedelta(hours=1)


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
    receipt = _write(frozen(work), new_id("rct"), None, ReceiptStatus.PROVISIONAL, work.buyer, now)
    _next(step, Step.SETTLED, hour_ceil(work.end) + SETTLE_AFTER)
    return receipt


@transaction.atomic
def settle_receipt(*, subject: str, now: datetime) -> GreenReceipt | None:
    """The version after settling, once all hours are settled: final where nothing waits for a registry's statement."""
    step = _locked(subject, Step.SETTLED)
    if step is None:
        return None
    if UseHour.objects.filter(subject=subject, settled_at=None).exists():
        _next(step, Step.SETTLED, now + AGAIN)
        return None
    before = GreenReceipt.objects.of_subject(subject).order_by("-version")[0]
    release_unmatched(subject=subject, now=now)
    _cancel_onsite(before, now)
    if _reserved(subject):
        _next(step, Step.FINAL, read_rfc3339(before.payload["period"]["end"]) + FINAL_AFTER)
        return _following(before, ReceiptStatus.PROVISIONAL, now)
    _next(step, Step.DONE, None)
    return _following(before, ReceiptStatus.FINAL, now)


@transaction.atomic
def finish_receipt(*, subject: str, now: datetime) -> GreenReceipt | None:
    """The final version: when everything reserved has been cancelled, or at the end of the time for it, which gives the
    rest back."""
    step = _locked(subject, Step.FINAL)
    if step is None:
        return None
    if _reserved(subject):
        if step.due_at is not None and now < step.due_at:
            return None
        release_subject(subject=subject, now=now)
    _next(step, Step.DONE, None)
    before = GreenReceipt.objects.of_subject(subject).order_by("-version")[0]
    return _following(before, ReceiptStatus.FINAL, now)


@transaction.atomic
def correct_receipts(*, subjects: Iterable[str], now: datetime) -> list[GreenReceipt]:
    """A new version for each of `subjects` whose energy was corrected, in the status that its last one has."""
    issued = []
    for subject in sorted(set(subjects)):
        ReceiptStep.objects.select_for_update(of=("self",)).filter(subject=subject).first()
        before = GreenReceipt.objects.of_subject(subject).order_by("-version").first()
        if before is not None:
            issued.append(_following(before, before.status, now))
    return issued


def advance_receipts(*, now: datetime) -> int:
    """Take every step that is due after the provisional one; how many versions were issued.

    One that cannot be taken yet is told in the log and put off.
    """
    issued = 0
    for step, act in ((Step.SETTLED, settle_receipt), (Step.FINAL, finish_receipt)):
        while subjects := steps_due(step=step, now=now):
            for subject in subjects:
                try:
                    issued += act(subject=subject, now=now) is not None
                except DomainError as error:
                    put_off(subject=subject, error=error, now=now)
    return issued


def put_off(*, subject: str, error: DomainError, now: datetime) -> None:
    """The next step of a receipt cannot be taken yet: it is tried again in an hour, and the log says why."""
    log.warning("the receipt of %s is put off: %s", subject, error.detail)
    ReceiptStep.objects.filter(subject=subject).update(due_at=now + AGAIN)


def _locked(subject: str, step: str) -> ReceiptStep | None:
    found: ReceiptStep | None = (
        ReceiptStep.objects.select_for_update(of=("self",)).filter(subject=subject, step=step).first()
    )
    return found


def _next(step: ReceiptStep, to: str, due_at: datetime | None) -> None:
    ReceiptStep.objects.filter(pk=step.pk).update(step=to, due_at=due_at)


def _reserved(subject: str) -> bool:
    return CertificateSpan.objects.filter(subject=subject, state="reserved").exists()


def _cancel_onsite(before: GreenReceipt, now: datetime) -> None:
    """Retire the on-site energy that matches the subject, for its buyer."""
    spans = CertificateSpan.objects.filter(
        subject=before.subject, state="reserved", lot__issuance__scheme=Scheme.METER
    ).order_by("lot", "wh_range")  # fmt: skip
    lock_lots(spans.values_list("lot_id", flat=True))
    pieces = [Piece(lot, found.lower, found.upper) for lot, found in spans.values_list("lot_id", "wh_range")]
    if pieces:
        move = Move(
            pieces, "reserved", "cancelled", before.subject, purpose=PURPOSE,
            beneficiary=before.payload["buyer"]["name"], statement_ref=before.public_id,
        )  # fmt: skip
        move_wh(moves=[move], now=now)


def _following(before: GreenReceipt, status: str, now: datetime) -> GreenReceipt:
    buyer = Organization.objects.get(public_id=before.payload["buyer"]["id"])
    return _write(kept_of(before.payload), before.public_id, before, status, buyer, now)


def _write(
    kept: Mapping[str, Any], id: str, before: GreenReceipt | None, status: str, buyer: Organization, now: datetime
) -> GreenReceipt:
    """Compose, sign and keep a version, and tell of it."""
    subject = kept["subject"]["id"]
    payload = compose(
        kept=kept, facts=gather(subject=subject, places=_numbers(kept["places"]), now=now),
        promise=_promise(subject), id=id, version=before.version + 1 if before else 1, status=status,
        issued_at=now, prev_sha256=before.sha256 if before else None, verify=f"{settings.WEB_URL}/verify/{id}",
    )  # fmt: skip
    signer = Signer(settings.RECEIPT_SECRET)
    ReceiptKey.objects.get_or_create(kid=signer.kid, defaults={"public_key": signer.x, "created_at": now})
    receipt = GreenReceipt.objects.create(
        public_id=id, subject=subject, buyer=buyer, providers=_providers(kept["places"]),
        start=read_rfc3339(kept["period"]["start"]), end=read_rfc3339(kept["period"]["end"]),
        version=payload["version"], status=status, payload=payload,
        sha256=sha256_of(payload), prev_sha256=payload["prev_sha256"], jws=signer.sign(canonical(payload)),
        kid=signer.kid, sample=payload["sample"], issued_at=now,
    )  # fmt: skip
    record(
        f"receipt.{status}", object_id=id, seq=receipt.version, now=now, state=status, buyer=buyer,
        facts={"subject": subject, "matched_ppm": payload["shares"]["matched_ppm"]},
    )  # fmt: skip
    if status == ReceiptStatus.FINAL:
        _tell_missed(receipt, buyer, now)
    return receipt


def _numbers(places: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """The number of each place by the key of its point."""
    numbers = {place["point"]: number for number, place in enumerate(places)}
    return {pk: numbers[code] for code, pk in MeterPoint.objects.filter(code__in=numbers).values_list("code", "pk")}


def _providers(places: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({place["provider"]["id"] for place in places})


def _promise(subject: str) -> dict[str, Any] | None:
    promise = GreenPromise.objects.filter(subject=subject).first()
    if promise is None:
        return None
    return {
        "id": promise.public_id, "promised_percent": promise.promised_percent,
        "start": rfc3339(promise.start), "end": rfc3339(promise.end),
        "credit_rate_ppm": promise.credit_rate_ppm, "cap_ppm": promise.cap_ppm,
    }  # fmt: skip


def _tell_missed(receipt: GreenReceipt, buyer: Organization, now: datetime) -> None:
    """Note a promise that was not kept, for whoever gives the credit: exact numbers, nothing rounded."""
    promise = receipt.payload["promise"]
    if promise is None:
        return
    hours = [hour for hour in receipt.payload["hours"] if promise["start"] <= hour["start"] < promise["end"]]
    matched = sum(hour["onsite_wh"] + hour["certificate_wh"] for hour in hours)
    used = sum(hour["site_wh"] for hour in hours)
    if matched * 100 >= promise["promised_percent"] * used:
        return
    PromiseMiss.objects.create(
        promise=GreenPromise.objects.get(public_id=promise["id"]), receipt_version=receipt.version, matched_wh=matched,
        used_wh=used, told_at=now,
    )  # fmt: skip
    record(
        "green_promise.missed", object_id=promise["id"], seq=receipt.version, now=now, buyer=buyer,
        facts={
            "receipt": receipt.public_id, "version": receipt.version, "subject": receipt.subject,
            "promised_percent": promise["promised_percent"], "matched_wh": matched, "used_wh": used,
            "credit_rate_ppm": promise["credit_rate_ppm"], "cap_ppm": promise["cap_ppm"],
        },
    )  # fmt: skip
