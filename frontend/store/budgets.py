"""Budgets of the organization: what caps its orders, how much is used of it, set, changed and ended on pages."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import ApiKey, Organization
from accounts.tenancy import current_organization
from frontend.components.formats import money, percent_down
from frontend.store.access import for_members
from frontend.store.acts import act_once
from frontend.store.moneyforms import BudgetLimitForm, BudgetSetForm
from frontend.store.pager import listing
from frontend.store.refusals import refusal_text
from frontend.store.standingwords import name_of
from marketplace.booking.models import StandingOrder
from marketplace.common.clock import utc_now
from marketplace.common.currencies import to_major
from marketplace.common.errors import DomainError, IllegalState, StaleVersion
from marketplace.common.ids import new_id
from marketplace.ledger import budgets
from marketplace.ledger.errors import BudgetExceeded
from marketplace.ledger.models import Budget
from marketplace.ledger.models.budgets import MONTH
from marketplace.ledger.querysets import BudgetQuerySet

NEAR, PPM = 0.8, 1_000_000


def budgets_of(mine: Organization) -> BudgetQuerySet:
    """Those that hold now, the newest first, of this market's money."""
    rows = Budget.objects.of([mine]).filter(livemode=settings.LIVEMODE)
    return rows.select_related("api_key").order_by("-pk")


def keys_of(mine: Organization) -> list[ApiKey]:
    """The keys that may order something."""
    return list(ApiKey.objects.of(mine).usable(utc_now()).exclude(scopes__contains=["agent"]))


def rows_shown(rows: Sequence[Budget]) -> list[dict[str, Any]]:
    """Each budget as `shown`; those of standing orders name their order."""
    orders = StandingOrder.objects.filter(public_id__in=[each.order for each in rows if each.order])
    names = {each.public_id: name_of(each) for each in orders}
    return [shown(each, names.get(each.order, "")) for each in rows]


def shown(budget: Budget, order: str = "") -> dict[str, Any]:
    """What it caps and what is used of it in its present period; `order` says what its standing order keeps."""
    period = budgets.period_of(budget=budget, now=utc_now())
    used = period.held + period.spent
    share = used / period.limit_minor if period.limit_minor else 1.0
    page = reverse("standing", args=[budget.order]) if budget.order else reverse("budget", args=[budget.public_id])
    return {
        "row": budget,
        "name": order or (budget.api_key.name if budget.api_key else _("The whole organization")),
        "what": _what(budget),
        "href": page,
        "period": _("each month, UTC") if budget.period == MONTH else _("for ever"),
        "limit": period.limit_minor,
        "used": used,
        "held": period.held,
        "spent": period.spent,
        "left": period.left,
        "share": share,
        "percent": percent_down(int(share * PPM)),
        "state": _("Used up") if not period.left else _("Nearly used up") if share >= NEAR else "",
        "tone": "bad" if not period.left else "warn",
        "currency": budget.asset,
    }


def _what(budget: Budget) -> str:
    if budget.order:
        return _("standing order")
    return _("API key") if budget.api_key else _("every order, by people and keys")


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def budget_list(request: HttpRequest) -> HttpResponse:
    """Every budget that holds, and a form that sets a new one; sent twice, it sets one."""
    mine = current_organization(request)
    form = BudgetSetForm(request.POST if request.method == "POST" else None, currency=mine.currency, keys=keys_of(mine))
    if request.method == "POST" and form.is_valid() and _set(request, mine, form):
        return HttpResponseRedirect(reverse("budgets"))
    page = listing(request, budgets_of(mine))
    context = {
        "form": form,
        "page": page,
        "rows": rows_shown(page.rows),
        "request_key": new_id("key"),
    }
    return render(request, "wallet/budgets.html", context, status=422 if form.errors else 200)


def _set(request: HttpRequest, mine: Organization, form: BudgetSetForm) -> bool:
    """Whether it was set; a refusal stands at the form."""
    said = form.cleaned_data

    def act() -> dict[str, Any]:
        row = budgets.set_budget(
            organization=mine, api_key=form.key(), asset=mine.currency, livemode=settings.LIVEMODE,
            limit_minor=said["limit"], period=said["period"], now=utc_now(),
        )  # fmt: skip
        return {"id": row.public_id}

    try:
        act_once(request, repr(sorted(said.items())), act)
    except IllegalState:
        form.add_error(None, _("There is such a budget already: change its limit, or end it."))
        return False
    except DomainError as error:
        form.add_error(None, refusal_text(error))
        return False
    messages.success(request, _("The budget is set; orders from now on count in it."))
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def budget_page(request: HttpRequest, budget: str) -> HttpResponse:
    """One budget: what is used of it; its limit is changed or it is ended here."""
    row = budgets_of(current_organization(request)).filter(order="").by_public_id(budget)
    do = request.POST.get("do", "") if request.method == "POST" else ""
    form = BudgetLimitForm(
        request.POST if do == "limit" else None, currency=row.asset,
        initial={"limit": to_major(row.limit_minor, row.asset)},
    )  # fmt: skip
    if do == "end" and _ended(request, row):
        return HttpResponseRedirect(reverse("budgets"))
    if do == "end" or (form.is_valid() and _changed(request, row, form)):
        return HttpResponseRedirect(reverse("budget", args=[row.public_id]))
    row.refresh_from_db()
    context = {"told": shown(row), "form": form}
    return render(request, "wallet/budget.html", context, status=422 if form.errors else 200)


def _ended(request: HttpRequest, row: Budget) -> bool:
    if request.POST.get("version") != str(row.version):
        messages.error(request, _changed_meanwhile())
        return False
    budgets.end_budget(budget=row, now=utc_now())
    messages.success(request, _("The budget is ended; orders are not capped by it any more."))
    return True


def _changed(request: HttpRequest, row: Budget, form: BudgetLimitForm) -> bool:
    """Whether the limit was changed; a refusal stands at the field."""
    limit, version = form.cleaned_data["limit"], request.POST.get("version", "")
    try:
        budgets.change_limit(
            budget=row, limit_minor=limit, version=int(version) if version.isdecimal() else 0, now=utc_now()
        )
    except StaleVersion:
        form.add_error("limit", _changed_meanwhile())
        return False
    except BudgetExceeded as error:
        used = error.facts["limit"] - error.facts["left"]
        words = _("%(used)s is held and spent in it already: write at least that.")
        form.add_error("limit", words % {"used": money(used, row.asset)})
        return False
    told = _("The limit is %(limit)s from now on.")
    messages.success(request, told % {"limit": money(limit, row.asset)})
    return True


def _changed_meanwhile() -> str:
    return _("Somebody changed it meanwhile; look at it again.")
