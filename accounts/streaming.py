"""Who may follow a stream. Streams are plain Django views of the ASGI process, outside REST framework."""

from django.http import HttpRequest

from accounts.authentication import key_of_header
from accounts.errors import AuthError, ScopeMissing
from accounts.models import Organization
from accounts.scopes import allows
from accounts.tenancy import organizations_of


def readers_of(request: HttpRequest, scope: str) -> list[Organization]:
    """The organizations whose rows the caller may follow.

    Raises AuthError for a stranger, ScopeMissing for a key without `scope`.
    """
    key = key_of_header(request)
    if key is not None:
        if not allows(key.scopes, scope):
            raise ScopeMissing(f"this key lacks the scope {scope}", wanted=scope, have=sorted(key.scopes))
        return [key.organization]
    if not request.user.is_authenticated:
        raise AuthError("sign in, or send an API key as Authorization: Bearer")
    return organizations_of(request)
