"""Versions of receipts, composed, signed and kept together; what they tell goes into the journal."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import Organization
from marketplace.common.clock import read_rfc3339, rfc3339
from marketplace.common.ids import new_id
from marketplace.energy.models import GreenPromise, GreenReceipt, MeterPoint, PromiseMiss, ReceiptKey, ReceiptStatus
from marketplace.energy.receipts.figures import sums_within
from marketplace.energy.receipts.gathering import Facts, gather
from marketplace.energy.receipts.payload import compose, kept_of
from marketplace.energy.receipts.signing import Signer, canonical, sha256_of
from marketplace.events.models import Event
from marketplace.events.services import record_many


@dataclass(frozen=True, slots=True)
class Draft:
    """A version about to be written: the parts that none changes, its status, and the version `before` it, if any."""

    kept: Mapping[str, Any]
    status: str
    buyer: Organization
    before: GreenReceipt | None = None

    @property
    def subject(self) -> str:
        return str(self.kept["subject"]["id"])


def following(before: GreenReceipt, status: str) -> Draft:
    """The version after `before`."""
    return Draft(kept_of(before.payload), status, before.buyer, before)


def write_versions(*, drafts: Sequence[Draft], now: datetime) -> list[GreenReceipt]:
    """Compose, sign and keep a version for each draft, of as many subjects, and tell of it.

    Their steps are locked. Raises NoHistory where nothing is known of the grid, ReceiptNumberTooLarge; then none of
    them is written.
    """
    if not drafts:
        return []
    subjects = [draft.subject for draft in drafts]
    facts = gather(places=_numbers(drafts), now=now)
    promises = {row.subject: row for row in GreenPromise.objects.filter(subject__in=subjects)}
    signer = Signer(settings.RECEIPT_SECRET)
    ReceiptKey.objects.get_or_create(kid=signer.kid, defaults={"public_key": signer.x, "created_at": now})
    receipts = [
        _receipt(draft, facts[draft.subject], promises.get(draft.subject), signer, now) for draft in drafts
    ]  # fmt: skip
    GreenReceipt.objects.bulk_create(receipts)
    record_many([_news(receipt, now) for receipt in receipts])
    _tell_missed([receipt for receipt in receipts if receipt.status == ReceiptStatus.FINAL], promises, now)
    return receipts


def _receipt(
    draft: Draft, facts: Facts, promise: GreenPromise | None, signer: Signer, now: datetime
) -> GreenReceipt:  # fmt: skip
    before, kept = draft.before, draft.kept
    id = before.public_id if before else new_id("rct")
    payload = compose(
        kept=kept, facts=facts, promise=_promise(promise), id=id, version=before.version + 1 if before else 1,
        status=draft.status, issued_at=now, prev_sha256=before.sha256 if before else None,
        verify=f"{settings.WEB_URL}/verify/{id}",
    )  # fmt: skip
    content = canonical(payload)
    return GreenReceipt(
        public_id=id, subject=draft.subject, buyer=draft.buyer, providers=_providers(kept["places"]),
        start=read_rfc3339(kept["period"]["start"]), end=read_rfc3339(kept["period"]["end"]),
        version=payload["version"], status=draft.status, payload=payload, sha256=sha256_of(content),
        prev_sha256=payload["prev_sha256"], jws=signer.sign(content), kid=signer.kid, sample=payload["sample"],
        issued_at=now,
    )  # fmt: skip


def _news(receipt: GreenReceipt, now: datetime) -> Event:
    return Event(
        type=f"receipt.{receipt.status}", object_id=receipt.public_id, object_seq=receipt.version, at=now,
        state=receipt.status, buyer=receipt.buyer,
        facts={"subject": receipt.subject, "matched_ppm": receipt.payload["shares"]["matched_ppm"]},
    )  # fmt: skip


def _numbers(drafts: Collection[Draft]) -> dict[str, dict[int, int]]:
    """By subject the number of each of its places by the key of its point."""
    codes = {draft.subject: [place["point"] for place in draft.kept["places"]] for draft in drafts}
    everyone = {code for listed in codes.values() for code in listed}
    keys = dict(MeterPoint.objects.filter(code__in=everyone).values_list("code", "pk"))
    return {
        subject: {keys[code]: number for number, code in enumerate(listed) if code in keys}
        for subject, listed in codes.items()
    }  # fmt: skip


def _providers(places: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({place["provider"]["id"] for place in places})


def _promise(promise: GreenPromise | None) -> dict[str, Any] | None:
    if promise is None:
        return None
    return {
        "id": promise.public_id, "promised_percent": promise.promised_percent,
        "start": rfc3339(promise.start), "end": rfc3339(promise.end),
        "credit_rate_ppm": promise.credit_rate_ppm, "cap_ppm": promise.cap_ppm,
    }  # fmt: skip


def _tell_missed(receipts: Collection[GreenReceipt], promises: Mapping[str, GreenPromise], now: datetime) -> None:
    """Note promises that were not kept, for whoever gives the credit: exact numbers, nothing rounded."""
    missed = [
        PromiseMiss(
            promise=promise, receipt_version=receipt.version, matched_wh=matched, used_wh=used,
            told_at=now,
        )
        for receipt in receipts
        if receipt.subject in promises
        for promise in [promises[receipt.subject]]
        for matched, used in [sums_within(receipt.payload["hours"], promise.start, promise.end)]
        if matched * 100 < promise.promised_percent * used
    ]  # fmt: skip
    PromiseMiss.objects.bulk_create(missed)
    by_subject = {receipt.subject: receipt for receipt in receipts}
    record_many([_missed_news(miss, by_subject[miss.promise.subject], now) for miss in missed])


def _missed_news(miss: PromiseMiss, receipt: GreenReceipt, now: datetime) -> Event:
    promise = miss.promise
    return Event(
        type="green_promise.missed", object_id=promise.public_id, object_seq=miss.receipt_version, at=now,
        buyer=receipt.buyer,
        facts={
            "receipt": receipt.public_id, "version": miss.receipt_version, "subject": receipt.subject,
            "promised_percent": promise.promised_percent, "matched_wh": miss.matched_wh, "used_wh": miss.used_wh,
            "credit_rate_ppm": promise.credit_rate_ppm, "cap_ppm": promise.cap_ppm,
        },
    )  # fmt: skip
