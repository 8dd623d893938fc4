"""The wallet's section about automatic top-ups: when, how much, how much a day, and why they stopped."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.models import Organization
from accounts.tenancy import current_organization
from frontend.components.formats import money
from frontend.store.access import for_members
from frontend.store.moneyforms import AmountField, MoneyForm
from frontend.store.moneywords import decline_words
from marketplace.common.clock import utc_now
from marketplace.common.currencies import to_major
from marketplace.ledger import autotopups
from marketplace.ledger.models import AutoTopup
from marketplace.ledger.payments import LEAST, MOST


class AutoForm(MoneyForm):
    """The terms of an automatic top-up."""

    name = "auto"
    threshold = AmountField(label=gettext_lazy("When less is available than"))
    amount = AmountField(label=gettext_lazy("Charge"))
    daily_cap = AmountField(label=gettext_lazy("At most each day"))

    def clean_amount(self) -> Any:
        """Within what a top-up may be."""
        amount = self.cleaned_data["amount"]
        if not LEAST <= amount <= MOST:
            ends = {"least": money(LEAST, self.currency), "most": money(MOST, self.currency)}
            self.add_error("amount", _("A top-up is from %(least)s to %(most)s.") % ends)
        return amount

    def clean(self) -> dict[str, Any]:
        """A day has room for one top-up, and for what was charged today."""
        said = super().clean() or self.cleaned_data
        amount, cap = said.get("amount"), said.get("daily_cap")
        least = max(amount or 0, self.charged_today)
        if amount and cap and cap < least:
            words = _("It must be at least %(least)s: one top-up, and what was charged today.")
            self.add_error("daily_cap", words % {"least": money(least, self.currency)})
        return dict(said)

    charged_today = 0


def auto_of(mine: Organization) -> AutoTopup | None:
    """The organization's automatic top-up, on or off."""
    return autotopups.auto_topup_of(organization=mine, asset=mine.currency, livemode=settings.LIVEMODE)


def auto_form(mine: Organization, data: Any = None) -> AutoForm:
    """The form with the terms that hold, or with what was sent."""
    row = auto_of(mine)
    kept = {} if row is None else {
        name: to_major(getattr(row, name), mine.currency) for name in ("threshold", "amount", "daily_cap")
    }  # fmt: skip
    form = AutoForm(data, currency=mine.currency, initial=kept)
    form.charged_today = row.charged if row and row.day == utc_now().date() else 0
    return form


def save_auto(request: HttpRequest, mine: Organization, form: MoneyForm) -> HttpResponse:
    """Switch it on with these terms."""
    said = form.cleaned_data
    autotopups.switch_on(
        organization=mine, asset=mine.currency, livemode=settings.LIVEMODE, threshold=said["threshold"],
        amount=said["amount"], daily_cap=said["daily_cap"], now=utc_now(),
    )  # fmt: skip
    terms = {name: money(said[name], mine.currency) for name in ("threshold", "amount")}
    messages.success(request, _("Automatic top-ups are on: %(amount)s when less than %(threshold)s is left.") % terms)
    return HttpResponseRedirect(f"{reverse('wallet')}#auto")


@require_POST
@for_members
def auto_off(request: HttpRequest) -> HttpResponse:
    """Switch it off."""
    row = auto_of(current_organization(request))
    if row is not None and autotopups.switch_off(row=row, now=utc_now()):
        messages.success(request, _("Automatic top-ups are off; the card is not charged any more."))
    return HttpResponseRedirect(f"{reverse('wallet')}#auto")


def auto_context(mine: Organization) -> dict[str, Any]:
    """What the section shows besides its form; `stopped` says why it went off by itself."""
    row = auto_of(mine)
    card = autotopups.saved_card(organization=mine, asset=mine.currency, livemode=settings.LIVEMODE)
    refused = row is not None and row.last is not None and row.last.state in autotopups.REFUSED and row.on
    reason = row.last.reason if refused and row and row.last else row.reason if row and not row.on else ""
    return {
        "auto_row": row,
        "auto_card": card,
        "auto_stopped": _stopped(reason) if row is not None and (reason or refused) else "",
        "auto_today": row.charged if row and row.day == utc_now().date() else 0,
    }


def _stopped(reason: str) -> str:
    limit = _("A new organization may pay in no more for now.")
    why = limit if reason == "spend_limit_reached" else decline_words(reason)
    return why or _("The card could not be charged.")
