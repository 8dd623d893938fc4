"""How sign-up of the accounts package makes a person of this market."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from accounts.services import sign_up_organization
from marketplace.common.clock import utc_now


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the package is untyped
    """A new person gets an organization of their own and buys for it."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The person as stored, with their organization; both or neither."""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                sign_up_organization(user=saved, now=utc_now())
        return saved
