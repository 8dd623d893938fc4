"""The Money page of the desk: do the books sum to nothing, does the processor agree, and what waits or failed."""

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend.desk.access import for_desk, for_operators, frame, may_act, operator_of
from frontend.desk.balances import shown, trial_balances
from frontend.desk.booking import manual_kinds
from frontend.desk.differences import Group, groups_of
from marketplace.booking.models import UsageDispute
from marketplace.common.clock import utc_now
from marketplace.common.ids import new_id
from marketplace.events.outbox import OPEN
from marketplace.ledger import outbox
from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.gateways.base import GatewayError
from marketplace.ledger.models import GatewayCall, GatewayStop, JournalRequest, Payout, WebhookReceipt
from marketplace.ledger.reconciling import Reconciliation, reconcile

SHOWN = 10


@require_safe
@for_desk
def money_page(request: HttpRequest) -> HttpResponse:
    """The books as they stand; with `day`, that UTC day against the processor."""
    now = utc_now()
    day = _day(request.GET.get("day", ""), now.date() - timedelta(days=1))
    calls = GatewayCall.objects.filter(Q(state__in=OPEN) | Q(state="failed"))
    receipts = WebhookReceipt.objects.filter(applied_at=None).order_by("next_try_at")
    mine = operator_of(request)
    context = {
        **frame(request, _("Money")),
        "balances": trial_balances(),
        "stops": list(GatewayStop.objects.all()),
        "gateway": settings.PAYMENT_GATEWAY,
        "calls": list(calls.order_by("-pk")[:SHOWN]),
        "calls_waiting": calls.filter(state__in=OPEN).count(),
        "calls_failed": calls.filter(state="failed").count(),
        "receipts": list(receipts[:SHOWN]),
        "receipts_waiting": receipts.count(),
        "payouts": list(Payout.objects.filter(state="due").select_related("provider")[:SHOWN]),
        "requests": [_request(each, mine.pk) for each in _waiting()],
        "objections": UsageDispute.objects.to_decide().count(),
        "limit": shown(settings.TWO_PERSON_LIMIT_MINOR, settings.CURRENCY) if settings.TWO_PERSON_LIMIT_MINOR else "",
        "currency": settings.CURRENCY,
        "kinds": manual_kinds(),
        "day": day,
        "today": now.date(),
        "may_act": may_act(request),
        "request_key": new_id("key"),
        **(_reconciled(request, day) if request.GET.get("day") else {}),
    }
    return render(request, "admin/money/money.html", context)


def _waiting() -> Any:
    return JournalRequest.objects.waiting().select_related("organization", "asked_by")


def _request(row: JournalRequest, me: int) -> dict[str, Any]:
    kinds = {each["kind"]: each["name"] for each in manual_kinds()}
    return {
        "row": row, "kind": kinds[row.kind], "amount": shown(row.amount, row.asset), "mine": row.asked_by_id == me,
    }  # fmt: skip


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return otherwise


def _reconciled(request: HttpRequest, day: date) -> dict[str, Any]:
    """The day's comparison; a processor that does not answer is said so."""
    try:
        result = reconcile(gateway=current_gateway(), day=day)
    except GatewayError as error:
        messages.error(request, _("The processor could not be asked: %(why)s") % {"why": error})
        return {}
    groups: list[Group] = groups_of(result)
    return {"result": result, "groups": groups, "sums": _sums(result)}


def _sums(result: Reconciliation) -> list[dict[str, str]]:
    assets = sorted({*result.theirs, *result.ours})
    return [
        {"asset": each, "theirs": shown(result.theirs[each], each), "ours": shown(result.ours[each], each)}
        for each in assets
    ]


@require_POST
@for_operators
def outbox_switch(request: HttpRequest) -> HttpResponse:
    """Let the outbox of the processor stand still, with a reason, or run again."""
    gateway, reason = request.POST.get("gateway", ""), request.POST.get("reason", "").strip()
    if request.POST.get("do") == "start":
        started = outbox.start(gateway=gateway)
        said = _("The outbox of %(gateway)s runs again.") if started else _("The outbox of %(gateway)s was running.")
        messages.success(request, said % {"gateway": gateway})
    elif reason:
        outbox.stop(gateway=settings.PAYMENT_GATEWAY, reason=reason, now=utc_now())
        messages.success(request, _("The outbox stands still; nothing is asked of the processor, nobody is paid out."))
    else:
        messages.error(request, _("Say why it is to stand still."))
    return HttpResponseRedirect(reverse("desk-money"))
