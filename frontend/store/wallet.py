"""The buyers' money: what there is, paying in, sending back, and what happened month by month."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Organization
from accounts.tenancy import actor_of, current_organization, organizations_of
from frontend.components.formats import money, round_money
from frontend.store.access import for_members
from frontend.store.acts import act_once
from frontend.store.autotopup import auto_context, auto_form, save_auto
from frontend.store.moneyforms import PRESETS, MoneyForm, RefundForm, TopupForm
from frontend.store.moneywords import amount_refused, decline_words, on_this_host, own_path, worth_topping_up
from frontend.store.months import Month, month_of
from frontend.store.movewords import told_rows
from frontend.store.pager import listing
from marketplace.common.clock import utc_now
from marketplace.common.currencies import to_major, to_minor
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from marketplace.ledger import movements, payments, topups
from marketplace.ledger.freezing import open_disputes
from marketplace.ledger.gateways import page_hosts
from marketplace.ledger.hints import wake_outbox
from marketplace.ledger.models import Hold, Journal, Payment
from marketplace.ledger.wallets import Wallet, wallet_of

AFTER = "after_topup"  # in the session: {payment: where its buyer was}
SHOWN = 50


def wallet_shown(organization: Organization) -> Wallet:
    """The wallet that pages are about: in the organization's currency, of this market's money."""
    return wallet_of(organization=organization, asset=organization.currency, livemode=settings.LIVEMODE)


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def wallet_page(request: HttpRequest) -> HttpResponse:
    """The wallet; a button pays in or sends back."""
    mine = current_organization(request)
    forms: dict[str, MoneyForm] = {
        "topup": TopupForm(initial=_proposed(request, mine), currency=mine.currency),
        "refund": RefundForm(currency=mine.currency),
        "auto": auto_form(mine),
    }
    chosen = request.POST.get("do", "") if request.method == "POST" else ""
    if chosen in ACTS:
        make, act = ACTS[chosen]
        forms[chosen] = make(mine, request.POST)
        done = _tried(request, mine, forms[chosen], act)
        if done is not None:
            return done
    status = 422 if any(form.errors for form in forms.values()) else 200
    return render(request, "wallet/wallet.html", _context(request, mine) | forms, status=status)


Act = Callable[[HttpRequest, Organization, MoneyForm], HttpResponse]


def _tried(request: HttpRequest, mine: Organization, form: MoneyForm, act: Act) -> HttpResponse | None:
    """What `act` answers; None when the form says what is wrong instead."""
    if not form.is_valid():
        return None
    try:
        return act(request, mine, form)
    except DomainError as error:
        form.add_error("amount", amount_refused(error, mine.currency))
    return None


def _proposed(request: HttpRequest, mine: Organization) -> dict[str, str]:
    """The amount that the address asks for, raised to what can be paid; none for what is no amount."""
    try:
        wanted = to_minor(request.GET.get("amount", ""), mine.currency)
    except ValueError:
        return {}
    return {"amount": to_major(worth_topping_up(wanted), mine.currency)}


def _topup(request: HttpRequest, mine: Organization, form: MoneyForm) -> HttpResponse:
    """The rows in one transaction, the processor's page outside of it, then off to that page."""
    amount, save = form.cleaned_data["amount"], form.cleaned_data["save"]

    def start() -> dict[str, Any]:
        payment = topups.begin(organization=mine, amount=amount, save_method=save, now=utc_now())
        return {"payment": payment.public_id}

    public_id = act_once(request, f"topup {amount} {save}", start)["payment"]
    if back := own_path(request, request.POST.get("next", "")):
        request.session[AFTER] = {**request.session.get(AFTER, {}), public_id: back}
    topups.open_page(public_id=public_id, now=utc_now())
    payment = Payment.objects.of([mine]).by_public_id(public_id)
    here = reverse("topup", args=[public_id])
    return HttpResponseRedirect(_page_of(payment) if payment.state == "open" else here)


def _page_of(payment: Payment) -> str:
    """The processor's page, if a form may lead there; else ours, which has a link to it."""
    address = on_this_host(str(payment.url))
    known = address.startswith("/") or any(address.startswith(f"{host}/") for host in page_hosts())
    return address if known else reverse("topup", args=[payment.public_id])


def _refund(request: HttpRequest, mine: Organization, form: MoneyForm) -> HttpResponse:
    amount = form.cleaned_data["amount"]

    def send() -> dict[str, Any]:
        payments.request_refund(
            organization=mine, asset=mine.currency, livemode=settings.LIVEMODE, amount=amount, now=utc_now(),
            actor=actor_of(request),
        )  # fmt: skip
        wake_outbox()
        return {}

    act_once(request, f"refund {amount}", send)
    told = _("%(amount)s is on its way back to the card that paid; banks take up to ten days.")
    messages.success(request, told % {"amount": money(amount, mine.currency)})
    return HttpResponseRedirect(reverse("wallet"))


ACTS: dict[str, tuple[Callable[[Organization, Any], MoneyForm], Act]] = {
    "topup": (lambda mine, sent: TopupForm(sent, currency=mine.currency), _topup),
    "refund": (lambda mine, sent: RefundForm(sent, currency=mine.currency), _refund),
    "auto": (auto_form, save_auto),
}


def _context(request: HttpRequest, mine: Organization) -> dict[str, Any]:
    wallet, now = wallet_shown(mine), utc_now()
    began = movements.began(organization=mine, wallet=wallet)
    month = month_of(request.GET.get("month", ""), now, began)
    page = listing(request, _journals(mine, wallet, month), limit=SHOWN)
    shown = movements.movements_of(page.rows, organization=mine, wallet=wallet)
    can_return = payments.refundable(organization=mine, asset=wallet.asset, livemode=wallet.livemode)
    return {
        "wallet": wallet,
        "kpis": _kpis(wallet, mine),
        "rows": told_rows(shown),
        "page": page,
        "month": month,
        "never": began is None,
        "presets": [(round_money(each, mine.currency), to_major(each, mine.currency)) for each in PRESETS],
        "missing": _missing(request, mine),
        "next": own_path(request, request.POST.get("next") or request.GET.get("next", "")),
        "returnable": min(wallet.available, can_return),
        "paid_by_card": can_return,
        "disputes": list(open_disputes(organization=mine, asset=wallet.asset, livemode=wallet.livemode)[:1]),
        **auto_context(mine),
        "unfinished": Payment.objects.of([mine]).filter(state__in=("open", "processing"), automatic=False)[:3],
        "request_key": new_id("key"),
    }


def _journals(mine: Organization, wallet: Wallet, month: Month) -> Any:
    rows = Journal.objects.of_wallet(mine, asset=wallet.asset, livemode=wallet.livemode)
    return rows.between(month.start, month.end)


def _missing(request: HttpRequest, mine: Organization) -> str:
    """What somebody lacked who was sent here to pay it in."""
    try:
        wanted = to_minor(request.GET.get("amount", ""), mine.currency)
    except ValueError:
        return ""
    return money(wanted, mine.currency) if request.GET.get("next") else ""


def _kpis(wallet: Wallet, mine: Organization) -> list[dict[str, Any]]:
    held = Hold.objects.open().filter(organization=mine, asset=wallet.asset, livemode=wallet.livemode).count()
    items: list[dict[str, Any]] = [
        {
            "name": _("Available"),
            "value": money(wallet.available, wallet.asset),
            "note": _("to spend, or to send back"),
            "hot": True,
        },
        {
            "name": _("Held"),
            "value": money(wallet.held, wallet.asset),
            "note": ngettext("for %(n)d order, and only for its use", "for %(n)d orders, and only for their use", held)
            % {"n": held}
            if held
            else _("nothing is promised just now"),
        },
    ]
    if wallet.frozen:
        items.append(
            {
                "name": _("Frozen"),
                "value": money(wallet.frozen, wallet.asset),
                "note": _("while a card payment is disputed"),
            }
        )
    return items


@require_safe
@for_members
def wallet_csv(request: HttpRequest) -> HttpResponse:
    """A month's movements, oldest first, for who files them."""
    mine = current_organization(request)
    wallet, now = wallet_shown(mine), utc_now()
    month = month_of(request.GET.get("month", ""), now, movements.began(organization=mine, wallet=wallet))
    rows = list(_journals(mine, wallet, month))
    told = movements.movements_of(rows, organization=mine, wallet=wallet)
    answer = HttpResponse(movements.as_csv(reversed(told), wallet), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="wallet-{month.key}.csv"'
    return answer


@require_safe
@for_members
def topup_page(request: HttpRequest, payment: str) -> HttpResponse:
    """Where a top-up stands; the processor leads its buyer back here, and the page looks again by itself."""
    row = Payment.objects.of(organizations_of(request)).by_public_id(payment)
    topups.catch_up(payment=row, now=utc_now())
    context = {
        "payment": row,
        "undecided": row.state in topups.UNDECIDED,
        "pay_href": on_this_host(str(row.url)) if row.state == "open" else "",
        "why": decline_words(row.reason),
        "next": request.session.get(AFTER, {}).get(row.public_id, ""),
        "again": to_major(row.amount, row.asset),
        "available": wallet_of(organization=row.organization, asset=row.asset, livemode=row.livemode).available,
        "fresh_at": datetime.now(UTC),
    }
    return render(request, "wallet/topup.html", context)
