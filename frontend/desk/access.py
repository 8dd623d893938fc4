"""Who may open the desk's own pages: whoever may look at the books; operators alone may act."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User

View = Callable[..., HttpResponseBase]


def for_desk(view: View) -> View:
    """A page for operators and auditors, inside the framework's own access control."""
    return _guarded(view, "ledger.view_journal")


def for_operators(view: View) -> View:
    """A page for operators."""
    return _guarded(view, "ledger.add_journal")


def _guarded(view: View, permission: str) -> View:
    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return admin.site.admin_view(wrapped)


def may_act(request: HttpRequest) -> bool:
    """Whether the person may do more than look."""
    return bool(request.user.has_perm("ledger.add_journal"))


def operator_of(request: HttpRequest) -> User:
    """Who acts."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def frame(request: HttpRequest, title: str) -> dict[str, Any]:
    """What the desk's templates need around a page."""
    return {**admin.site.each_context(request), "title": title}
