"""Pages of invoices: what a month or an order came to, line by line, and as files."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role
from accounts.tenancy import current_organization, organizations_of, require_role
from frontend.store.access import attempt, for_members
from frontend.store.pager import listing
from marketplace.common.clock import read_rfc3339, utc_now
from marketplace.common.months import MOMENT, Month
from marketplace.ledger.billing import set_billing_details
from marketplace.ledger.invoicepdf import credit_name, issuer_name, unit_name
from marketplace.ledger.invoiceview import (
    invoice_as_json,
    invoice_summary,
    line_as_json,
    payment_words,
    percent_text,
)
from marketplace.ledger.models import BillingDetails, Invoice
from marketplace.ledger.querysets import InvoiceQuerySet

GROUPS = {"invoice": ("invoice",), "credit_note": ("credit_note",)}
LINES = 50  # of a page
MONTHS = 6  # offered as cost exports


class DetailsForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """Whom invoices name."""

    class Meta:
        model = BillingDetails
        fields = ("legal_name", "address", "tax_id", "reference")
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}


def mine(request: HttpRequest) -> InvoiceQuerySet:
    """The issued invoices of the person's organizations."""
    return Invoice.objects.of(organizations_of(request)).issued().select_related("corrects")


@require_safe
@for_members
def invoice_list(request: HttpRequest) -> HttpResponse:
    """Every invoice and credit note, the newest first, and the costs of the last months as a file."""
    kind = request.GET.get("kind", "")
    rows = mine(request)
    page = listing(request, rows.filter(kind__in=GROUPS[kind]) if kind in GROUPS else rows)
    context = {
        "page": page,
        "invoices": [_head(each) for each in page.rows],
        "tabs": _tabs(kind),
        "empty": not page.rows and not rows.exists(),
        "months": _months(Month.of(utc_now())),
    }
    return render(request, "invoices/list.html", context)


def _tabs(kind: str) -> list[dict[str, Any]]:
    words = {"": _("All"), "invoice": _("Invoices"), "credit_note": _("Credit notes")}
    return [
        {"name": word, "href": f"?kind={key}", "current": key == kind or (not key and kind not in GROUPS)}
        for key, word in words.items()
    ]


def _months(last: Month) -> list[str]:
    months = [last]
    while len(months) < MONTHS:
        months.append(Month.of(months[-1].start - MOMENT))
    return [str(month) for month in months]


def _head(invoice: Invoice) -> dict[str, Any]:
    """The invoice as the API has it, with its period in words."""
    first, last = (f"{each:%Y-%m-%d}" for each in (invoice.period_start, invoice.period_end - MOMENT))
    days = first if first == last else f"{first} – {last}"
    return invoice_summary(invoice) | {
        "period_words": str(Month.of(invoice.period_start)) if invoice.scope == "month" else days,
        "kind_words": kind_name(invoice.kind),
        "issued_at": invoice.issued_at,
    }


def kind_name(kind: str) -> str:
    return _("Credit note") if kind == "credit_note" else _("Invoice")


@require_safe
@for_members
def invoice_page(request: HttpRequest, invoice: str) -> HttpResponse:
    """One invoice: who bills whom, its lines, its taxes and its total."""
    row = mine(request).by_public_id(invoice)
    facts = invoice_as_json(row, lines=False)
    place = _place(request)
    lines = row.lines.order_by("position")
    shown = [line_as_json(line) for line in lines[place : place + LINES + 1]]
    context = {
        "invoice": facts | _head(row),
        "issuer": facts["issuer"] | {"name": issuer_name(facts)},
        "buyer": facts["buyer"],
        "lines": [_line(line) for line in shown[:LINES]],
        "taxes": [tax | {"percent": percent_text(tax["tax_bp"])} for tax in facts["taxes"]],
        "words": {"from": pgettext("invoice", "From"), "net": pgettext("before tax", "Net")},
        "payment": payment_words(row.kind, row.livemode),
        "earlier": f"?from={max(0, place - LINES)}" if place else "",
        "later": f"?from={place + LINES}" if len(shown) > LINES else "",
    }
    return render(request, "invoices/invoice.html", context)


def _place(request: HttpRequest) -> int:
    text = request.GET.get("from", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _line(line: dict[str, Any]) -> dict[str, Any]:
    facts = line["facts"]
    more: dict[str, Any] = {"percent": percent_text(line["tax_bp"]), "unit": unit_name(line["unit"])}
    if facts["type"] == "credit":
        more |= {"what": credit_name(facts["credit"]), "start": read_rfc3339(facts["at"]), "end": None}
    else:
        what = f"{facts['hardware']} × {facts['units']}"
        more["what"] = _("%(what)s, promised and unused") % {"what": what} if facts["idle"] else what
        more |= {name: read_rfc3339(facts[name]) for name in ("start", "end")}
        more["where"] = f"{facts['site']}, {facts['locality']} {facts['country']} · {facts['provider']}"
    return line | more | {"link": _link(facts["order"]), "order": facts["order"]}


def _link(order: str) -> str:
    """The page of a job or reservation."""
    if order.startswith("job_"):
        return reverse("job", args=[order])
    return reverse("reservation", args=[order]) if order.startswith("rsv_") else ""


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def billing_details(request: HttpRequest) -> HttpResponse:
    """Whom invoices name from now on; members who buy may change it."""
    organization = current_organization(request)
    row = BillingDetails.objects.filter(organization=organization).first()
    start = None if row else {"legal_name": organization.name}
    form = DetailsForm(request.POST if request.method == "POST" else None, instance=row, initial=start)
    if request.method == "POST":
        require_role(request, Role.BUYER)
        if form.is_valid():
            attempt(
                request,
                lambda: set_billing_details(organization=organization, now=utc_now(), **form.cleaned_data),
                done=_("Saved: your next invoice names it."),
            )
            return HttpResponseRedirect(reverse("invoice-list"))
    return render(request, "invoices/details.html", {"form": form, "title": gettext_lazy("Billing details")})
