"""What is off once everything has come to rest: a name and a number for each kind of loss or double; 0 is right."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models import Model, Sum

from benchmarks.killed_money.journal import Journal

ROOT = Path(__file__).resolve().parent.parent.parent


def restless() -> dict[str, int]:
    """What is still under way."""
    from marketplace.booking.models import ChargeLine  # noqa: PLC0415
    from marketplace.events.outbox import OPEN  # noqa: PLC0415
    from marketplace.ledger.gateways.sandbox_models import SandboxDelivery  # noqa: PLC0415
    from marketplace.ledger.models import GatewayCall, Payment, Payout, Refund, WebhookReceipt  # noqa: PLC0415
    from scheduler.models import Job  # noqa: PLC0415

    return {
        "calls": GatewayCall.objects.filter(state__in=OPEN).count(),
        "messages": WebhookReceipt.objects.filter(applied_at=None).count(),
        "deliveries": SandboxDelivery.objects.filter(done_at=None, given_up_at=None).count(),
        "payments": Payment.objects.filter(state__in=("new", "open", "processing")).count(),
        "refunds": Refund.objects.filter(state="new").count(),
        "payouts": Payout.objects.filter(state__in=("due", "sending")).count(),
        "jobs": Job.objects.exclude(state__in=("succeeded", "failed", "cancelled", "expired")).count(),
        "charges": ChargeLine.objects.filter(matured_at=None).count(),
    }


def verdict(folder: Path) -> dict[str, int]:
    """Everything that must be 0."""
    return {**_requests(folder), **_processor(), **_books(), **_days(), **_promises()}


def _requests(folder: Path) -> dict[str, int]:
    """Each request that was answered with success is there once, and nothing else is."""
    from marketplace.booking.models import Reservation  # noqa: PLC0415
    from marketplace.ledger.models import Payment, Refund  # noqa: PLC0415
    from scheduler.models import Job  # noqa: PLC0415

    ends = [line for path in folder.glob("buyer-*") for line in Journal(path).lines() if "end" in line]
    begun = {
        line["begin"]["key"]: line["begin"]["path"]
        for path in folder.glob("buyer-*") for line in Journal(path).lines() if "begin" in line
    }  # fmt: skip
    done = [(begun[end["end"]].split("/")[-1], end["amount"]) for end in ends if end["status"] < 300]

    def count(name: str) -> int:
        return sum(kind == name for kind, _ in done)

    def money(name: str) -> int:
        return sum(amount for kind, amount in done if kind == name)

    return {
        "topups": Payment.objects.count() - count("topups"),
        "topups_minor": _sum(Payment, "amount") - money("topups"),
        "refunds_minor": _sum(Refund, "amount") - money("refunds"),
        "reservations": Reservation.objects.exclude(state="held").count() - count("reservations"),
        "cancellations": Reservation.objects.filter(state="cancelled").count() - count("cancel"),
        "jobs": Job.objects.count() - count("jobs"),
    }


def _processor() -> dict[str, int]:
    """The processor has done each thing once."""
    from marketplace.ledger.gateways import sandbox_models as theirs  # noqa: PLC0415
    from marketplace.ledger.models import GatewayCall, Payee, Payment, Payout, Refund  # noqa: PLC0415

    pages = GatewayCall.objects.filter(op="create_topup", state="done")
    paid = theirs.SandboxPayment.objects.filter(status="succeeded")
    gone = Refund.objects.filter(state="succeeded")
    return {
        "pages": theirs.SandboxSession.objects.count() - pages.count(),
        "payees": theirs.SandboxPayee.objects.count() - Payee.objects.exclude(account=None).count(),
        "paid_minor": _sum(paid, "captured") - _sum(Payment.objects.filter(state="succeeded"), "captured"),
        "sent_back_minor": _sum(theirs.SandboxRefund, "amount") - _sum(gone, "amount"),
        "transfers_minor": _sum(theirs.SandboxTransfer, "amount") - _sum(Payout.objects.filter(state="paid"), "amount"),
    }


def _books() -> dict[str, int]:
    """Nothing is held for what has ended, and nothing is left between two accounts."""
    from marketplace.booking.models import ChargeLine, Reservation, Settlement  # noqa: PLC0415
    from marketplace.ledger.gateways.sandbox_models import SandboxMove  # noqa: PLC0415
    from marketplace.ledger.models import Account, Entry, Hold, Payment, Payout  # noqa: PLC0415
    from scheduler.models import Job  # noqa: PLC0415

    live = Reservation.objects.filter(state="confirmed").values("contract__subject")
    stray = Hold.objects.filter(state="open").exclude(subject__in=live)
    between = Account.objects.filter(kind__in=("provider_in_transit", "provider_pending", "buyer_frozen"))
    clearing = Entry.objects.filter(account__kind="stripe_clearing")
    ended = Job.objects.filter(state__in=("succeeded", "failed", "cancelled", "expired"))
    return {
        "holds_of_what_has_ended": stray.count(),
        "between_accounts_minor": _sum(between, "balance"),
        "credited_minor": _credited() - _sum(Payment, "captured"),
        "clearing_minor": _sum(clearing, "amount") - _sum(SandboxMove, "net"),
        "jobs_not_settled_once": ended.count() - Settlement.objects.count(),
        "paid_out_beyond_charges_minor": max(0, _sum(Payout, "amount") - _sum(ChargeLine, "provider_minor")),
    }


def _credited() -> int:
    from marketplace.ledger.models import Entry  # noqa: PLC0415

    return -_sum(Entry.objects.filter(journal__kind="topup", account__kind="buyer_available"), "amount")


def _days() -> dict[str, int]:
    """Differences between the processor's days and ours."""
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.ledger.gateways import current_gateway  # noqa: PLC0415
    from marketplace.ledger.reconciling import reconcile  # noqa: PLC0415

    today = utc_now().date()
    days = [_patiently(lambda day=day: reconcile(gateway=current_gateway(), day=day))
            for day in (today - timedelta(days=1), today)]  # fmt: skip
    return {"differences_to_the_processor": sum(len(day.differences) for day in days)}


def _patiently(ask: Any) -> Any:
    """The processor's faults hit questions too."""
    from marketplace.ledger.gateways.base import GatewayError  # noqa: PLC0415

    for _ in range(50):
        try:
            return ask()
        except GatewayError:
            continue
    raise RuntimeError("the processor does not answer")


def _promises() -> dict[str, int]:
    """What `manage.py verify_invariants` finds."""
    argv = (sys.executable, "manage.py", "verify_invariants", "--json")
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if said.returncode > 1:
        raise RuntimeError(said.stderr)
    checks = json.loads(said.stdout)["checks"]
    return {f"invariant {each['id']}": each["anomalies_total"] for each in checks}


def _sum(rows: Any, name: str) -> int:
    found = rows.objects if isinstance(rows, type) and issubclass(rows, Model) else rows
    return int(found.aggregate(sum=Sum(name))["sum"] or 0)


def off(findings: Mapping[str, int]) -> dict[str, int]:
    """What is not 0."""
    return {name: number for name, number in findings.items() if number}


def did() -> dict[str, int]:
    """What the run came to."""
    from marketplace.booking.models import ChargeLine, Reservation  # noqa: PLC0415
    from marketplace.ledger.models import GatewayCall, Journal, Payment, Payout, Refund, WebhookReceipt  # noqa: PLC0415
    from scheduler.models import Job  # noqa: PLC0415

    calls = GatewayCall.objects.aggregate(sum=Sum("tries"))["sum"] or 0
    return {
        "topups": Payment.objects.filter(state="succeeded").count(), "refunds": Refund.objects.count(),
        "reservations": Reservation.objects.count(), "cancelled": Reservation.objects.filter(state="cancelled").count(),
        "jobs": Job.objects.count(), "charges": ChargeLine.objects.count(), "payouts": Payout.objects.count(),
        "calls": GatewayCall.objects.count(), "tries": calls, "messages": WebhookReceipt.objects.count(),
        "journals": Journal.objects.count(),
    }  # fmt: skip
