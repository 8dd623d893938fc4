"""Journals by hand: a form for each kind, and the decision of a second operator."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Organization
from frontend.desk.access import for_operators, frame, operator_of
from frontend.desk.balances import shown
from frontend.store.refusals import refusal_text
from marketplace.booking.goodwill import BOOKS
from marketplace.common.clock import utc_now
from marketplace.common.currencies import figure, to_minor
from marketplace.common.errors import DomainError, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.ledger import manual
from marketplace.ledger.models import JournalRequest

FIELDS = {
    "topup_offline": ("organization", "amount", "ref", "reason"),
    "goodwill": ("organization", "amount", "reason"),
    "suspense": ("ref", "amount", "reason"),
    "write_off": ("organization", "amount", "reason"),
    "correction": ("ref", "reason"),
}
SIGNED = frozenset(("suspense",))


def manual_kinds() -> list[dict[str, str]]:
    """What can be booked by hand, in words."""
    names = {
        "topup_offline": (_("Bank transfer"), _("Money that a buyer sent to the market's bank comes to its wallet.")),
        "goodwill": (_("Goodwill"), _("A credit to a buyer that the market pays for itself.")),
        "suspense": (_("Suspense"), _("Names a difference to the processor, until it is explained.")),
        "write_off": (_("Write-off"), _("What a provider owes, or what suspense holds, becomes a loss.")),
        "correction": (_("Correction"), _("Undoes a journal that was booked by hand.")),
    }
    return [{"kind": kind, "name": name, "note": note} for kind, (name, note) in names.items()]


class BookForm(forms.Form):
    """What is wanted, in the fields that its kind has."""

    organization = forms.CharField(
        label=gettext_lazy("Organization"), max_length=120, help_text=gettext_lazy("Its id, org_…, or its exact name.")
    )
    amount = forms.CharField(label=gettext_lazy("Amount"), max_length=24)
    ref = forms.CharField(label=gettext_lazy("Reference"), max_length=120)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=400, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, data: Any = None, *, kind: str, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.kind = kind
        for name in set(self.fields) - set(FIELDS[kind]):
            del self.fields[name]
        if kind == "write_off":
            self.fields["organization"].required = False
            self.fields["organization"].help_text = _("The provider that owes it; empty for what suspense holds.")
        if "ref" in self.fields:
            self.fields["ref"].help_text = _hints()[kind]
        if "amount" in self.fields:
            self.fields["amount"].label = f"{self.fields['amount'].label} ({settings.CURRENCY})"

    def clean_organization(self) -> Organization | None:
        """The organization of this id or name."""
        text = self.cleaned_data["organization"].strip()
        if not text:
            return None
        found = list(Organization.objects.filter(public_id=text) or Organization.objects.filter(name=text)[:2])
        if len(found) != 1:
            raise ValidationError(_("There is not exactly one organization of this id or name."))
        return found[0]

    def clean_amount(self) -> int:
        """Minor units, negative only where the kind goes both ways."""
        text = self.cleaned_data["amount"].strip().replace("−", "-")
        negative = text.startswith("-") and self.kind in SIGNED
        try:
            minor = to_minor(text.removeprefix("-") if negative else text, settings.CURRENCY)
        except ValueError as error:
            raise ValidationError(
                _("Write an amount such as %(example)s.") % {"example": figure(2_500, settings.CURRENCY)}
            ) from error
        return -minor if negative else minor


def _hints() -> dict[str, str]:
    return {
        "topup_offline": _("The bank's own reference of the transfer; each counts once."),
        "suspense": _("The processor's balance transaction, or our own reference where it knows of none."),
        "correction": _("The journal to undo, jrn_…"),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def book_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask for a journal of this kind."""
    about = next((each for each in manual_kinds() if each["kind"] == kind), None)
    if about is None:
        raise Http404
    initial = {name: request.GET.get(name, "") for name in FIELDS[kind]}
    form = BookForm(request.POST if request.method == "POST" else None, kind=kind, initial=initial)
    if request.method == "POST" and form.is_valid() and _asked(request, form):
        return HttpResponseRedirect(reverse("desk-money"))
    context = {
        **frame(request, about["name"]),
        "form": form,
        "about": about,
        "limit": shown(settings.TWO_PERSON_LIMIT_MINOR, settings.CURRENCY) if settings.TWO_PERSON_LIMIT_MINOR else "",
        "currency": settings.CURRENCY,
        "request_key": request.POST.get("request_key") or new_id("key"),
    }
    return render(request, "admin/money/book.html", context, status=422 if form.errors else 200)


def _asked(request: HttpRequest, form: BookForm) -> bool:
    """Whether it was taken; what is wrong with it stands at its field."""
    said = form.cleaned_data
    wanted = manual.Wanted(
        kind=form.kind, asset=settings.CURRENCY, livemode=settings.LIVEMODE, amount=said.get("amount", 0),
        reason=said["reason"], organization=said.get("organization"), ref=said.get("ref", ""),
    )  # fmt: skip
    key = request.POST.get("request_key", "")[:80] or new_id("key")
    try:
        row = manual.ask(wanted=wanted, by=operator_of(request), request_key=key, now=utc_now(), books=BOOKS)
    except ValidationFailed as error:
        for problem in error.problems:
            name = problem.pointer.strip("/")
            form.add_error(name if name in form.fields else None, problem.detail)
        return False
    except DomainError as error:
        form.add_error(None, refusal_text(error))
        return False
    booked = _("Booked as %(journal)s.") % {"journal": row.journal.public_id} if row.journal else ""
    messages.success(request, booked or _("It is noted, and booked when a second operator agrees."))
    return True


@require_POST
@for_operators
def decide(request: HttpRequest, request_id: str) -> HttpResponse:
    """Agree to what another operator asked for, or refuse it."""
    row = JournalRequest.objects.filter(public_id=request_id).first()
    if row is None:
        raise Http404
    me, now = operator_of(request), utc_now()
    try:
        if request.POST.get("do") == "approve":
            manual.approve(request=row, by=me, now=now, books=BOOKS)
            messages.success(request, _("Booked."))
        else:
            manual.refuse(request=row, by=me, now=now)
            messages.success(request, _("Refused; nothing was booked."))
    except DomainError as error:
        messages.error(request, refusal_text(error))
    return HttpResponseRedirect(reverse("desk-money"))
