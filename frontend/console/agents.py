"""Agents of a provider's sites: who answers, and the keys that let a new one connect."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import ApiKey, Organization
from accounts.services import issue_key, revoke_key
from accounts.tenancy import current_organization, person_of
from frontend.console.overview import agent_rows
from frontend.store.access import for_providers
from marketplace.catalog.models import Site
from marketplace.common.clock import utc_now
from scheduler.models import Agent


class KeyForm(forms.Form):
    """Which site the agent works for, and what to call it."""

    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.none(), to_field_name="public_id", empty_label=None
    )
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("How you tell this machine from the others, such as rack-a-1.")
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_providers
@sensitive_variables("secret")
def agents_page(request: HttpRequest) -> HttpResponse:
    """The agents with their last sign of life; a POST issues a key for one more, shown this once."""
    organization = current_organization(request)
    now = utc_now()
    form = _key_form(request, organization)
    issued, secret = None, ""
    if request.method == "POST" and form.is_valid():
        issued, secret = issue_key(
            organization=organization, name=form.cleaned_data["name"], scopes=["agent"], now=now,
            created_by=person_of(request), site=form.cleaned_data["site"].public_id,
        )  # fmt: skip
        form = _key_form(None, organization)
    context = {
        "rows": agent_rows(list(Agent.objects.of_providers([organization])), now),
        "form": form,
        "sites": form.fields["site"].queryset.exists(),  # type: ignore[attr-defined]  # a ModelChoiceField
        "issued": issued,
        "secret": secret,
        "keys": _keys(organization),
        "url": request.build_absolute_uri("/").rstrip("/"),
    }
    response = render(request, "console/agents.html", context, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response


def _key_form(request: HttpRequest | None, organization: Organization) -> KeyForm:
    form = KeyForm(request.POST if request is not None and request.method == "POST" else None)
    sites = Site.objects.of_providers([organization])
    form.fields["site"].queryset = sites  # type: ignore[attr-defined]  # a ModelChoiceField
    return form


def _keys(organization: Organization) -> list[dict[str, Any]]:
    """The organization's usable agent keys with the names of their sites."""
    keys = list(ApiKey.objects.of(organization).usable(utc_now()).filter(scopes__contains=["agent"]))
    names = dict(Site.objects.filter(public_id__in=[key.site for key in keys]).values_list("public_id", "name"))
    return [{"key": key, "site": names.get(key.site, key.site)} for key in keys]


@require_POST
@for_providers
def revoke_agent_key(request: HttpRequest, key: str) -> HttpResponse:
    """Refuse the key from now on; an agent that uses it stops at its next call."""
    keys = ApiKey.objects.of(current_organization(request)).filter(scopes__contains=["agent"])
    revoke_key(key=keys.by_public_id(key), now=utc_now())
    messages.success(request, _("The key is refused from now on."))
    return HttpResponseRedirect(reverse("console-agents"))
