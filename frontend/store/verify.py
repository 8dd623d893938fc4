"""The public page that verifies a receipt: a file with all its checks, or an id with what anybody may know of it."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from joulemart import receipts

from marketplace.common.addresses import client_address
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError, TooLarge, ValidationFailed
from marketplace.common.limits import spend
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.verification import MOST_BYTES, newest_of, verify_file
from marketplace.energy.receipts.words import status_name

A_MINUTE = 20  # files from one address
MINUTE_S = 60


@require_http_methods(["GET", "HEAD", "POST"])
def verify_page(request: HttpRequest) -> HttpResponse:
    """Verify an uploaded or pasted file; nothing of it is kept."""
    asked = request.GET.get("receipt", "").strip()
    if asked:
        return HttpResponseRedirect(reverse("verify-receipt", args=[asked]))
    context: dict[str, Any] = {"keys_url": _keys_url()}
    if request.method == "POST":
        try:
            spend("verify", client_address(request), quota=A_MINUTE, now=utc_now(), window_s=MINUTE_S)
            context |= {"verdict": _verdict(verify_file(_content(request)))}
        except DomainError as error:
            context |= {"refusal": error}
    return render(request, "receipts/verify.html", context, status=422 if "refusal" in context else 200)


@require_safe
def verify_receipt(request: HttpRequest, receipt: str) -> HttpResponse:
    """Version, status, hash and date of a receipt by its id: no hours, no buyer."""
    row = GreenReceipt.objects.newest().filter(public_id=receipt).first()
    context = {
        "asked": receipt,
        "standing": row,
        "status_words": status_name(row.status) if row else "",
        "keys_url": _keys_url(),
    }
    return render(request, "receipts/verify.html", context, status=200 if row else 404)


def _keys_url() -> str:
    return f"{settings.WEB_URL}{reverse('jwks')}"


def _content(request: HttpRequest) -> bytes:
    """What was uploaded, else what was pasted; raises TooLarge, ValidationFailed."""
    file = request.FILES.get("file")
    if file is not None:
        if (file.size or 0) > MOST_BYTES:
            raise TooLarge(_("The file is larger than 8 MiB."), max_bytes=MOST_BYTES)
        content: bytes = file.read()
        return content
    text = str(request.POST.get("text", "")).strip()
    if not text:
        raise ValidationFailed([], detail=_("Choose a file, or paste its text."))
    return text.encode()


def _verdict(outcome: receipts.Outcome) -> dict[str, Any]:
    """The outcome in words: the tone, what it means, the first check that failed, and every check."""
    tone, title, note = _words(outcome)
    return {
        "tone": tone,
        "title": title,
        "note": note,
        "receipt": outcome.receipt,
        "version": outcome.version,
        "status": status_name(outcome.status),
        "sha256": outcome.sha256,
        "checks": [
            {"number": check.number, "name": _check_name(check.kind), "ok": check.ok, "fault": check.fault}
            for check in outcome.checks
        ],
        "first": next(
            ({"number": c.number, "name": _check_name(c.kind), "fault": c.fault} for c in outcome.failed), None
        ),
        "newest": newest_of(outcome),
    }


def _words(outcome: receipts.Outcome) -> tuple[str, str, str]:
    """(tone, title, note) of an outcome."""
    signed = _("Every check passes, and a key of this market signed it.")
    failed = _("A check failed: this is not what was signed, or it never added up.")
    strange = _("Every check passes, but no key of this market signed it.")
    sample = _("Every check passes, but a sample is no evidence of anything.")
    return {
        "valid": ("good", _("Valid"), signed),
        "check_failed": ("bad", _("Not valid"), failed),
        "key_untrusted": ("bad", _("Signed by a stranger"), strange),
        "sample_data": ("warn", _("A sample"), sample),
    }[outcome.code]


def _check_name(kind: str) -> str:
    """What a check looks at."""
    names = {
        "signature": _("Signature: these very bytes were signed"),
        "chain": _("Chain: it follows from the version before"),
        "shape": _("Form: every part is there and of its kind"),
        "hours": _("Hours: parts add up, no hour twice, none outside the period"),
        "totals and shares": _("Totals and shares: recomputed from the hours"),
        "certificates": _("Certificates: the matched Wh of their hours, none twice"),
        "status": _("Status: final only with settled hours and cancelled energy"),
        "software carbon intensity": _("Software carbon intensity: recomputed"),
        "charge": _("Charge: recomputed from metered time and frozen price"),
    }
    return names.get(kind, kind)
