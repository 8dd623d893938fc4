"""For whom a request acts: each organization sees its own rows and nobody else's.

Views ask `current_organization(request)` and then `Model.objects.of(organization)`. All functions take the request of
Django or of REST framework, signed in by session or by key.
"""

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.errors import AuthError, RoleMissing
from accounts.models import ApiKey, Membership, Organization, Role, User
from accounts.querysets import OwnedQuerySet

__all__ = [
    "OwnedQuerySet",
    "actor_of",
    "choose_organization",
    "chosen_organization",
    "current_organization",
    "key_of",
    "looks_after",
    "organizations_of",
    "person_of",
    "require_role",
    "roles_of",
]

SESSION_CHOICE = "organization"
AnyRequest = Request | HttpRequest


def key_of(request: AnyRequest) -> ApiKey | None:
    """The key that authenticated the request, or None for a session."""
    auth = getattr(request, "auth", None)
    return auth if isinstance(auth, ApiKey) else None


def person_of(request: AnyRequest) -> User:
    """The signed-in person; raises AuthError for a stranger and for a key that nobody made."""
    if isinstance(request.user, User):
        return request.user
    raise AuthError("sign in, or send an API key as Authorization: Bearer")


def organizations_of(request: AnyRequest) -> list[Organization]:
    """The organizations whose rows the caller may see: those of the person, or the one of the key."""
    key = key_of(request)
    if key is not None:
        return [key.organization]
    if not request.user.is_authenticated:
        return []
    return list(Organization.objects.with_member(request.user))


def current_organization(request: AnyRequest) -> Organization:
    """The organization the caller acts for: the key's, else the one chosen in the session, else the first joined.

    Raises AuthError for a stranger, RoleMissing for a person who belongs to none.
    """
    key = key_of(request)
    if key is not None:
        return key.organization
    organization = chosen_organization(request)
    if organization is None:
        raise RoleMissing("your account belongs to no organization", hint="ask a member to add you")
    return organization


def chosen_organization(request: AnyRequest) -> Organization | None:
    """The signed-in person's organization as chosen in the session; a choice no longer theirs is ignored."""
    mine = Membership.objects.of_user(person_of(request)).order_by("pk")
    chosen = request.session.get(SESSION_CHOICE, "")
    member = (mine.filter(organization__public_id=chosen).first() if chosen else None) or mine.first()
    return member.organization if member else None


def choose_organization(request: AnyRequest, public_id: str) -> Organization:
    """Act for this organization from now on; NotFound unless the person belongs to it."""
    organization = Organization.objects.with_member(person_of(request)).by_public_id(public_id)
    request.session[SESSION_CHOICE] = organization.public_id
    return organization


def roles_of(request: AnyRequest) -> frozenset[str]:
    """The caller's roles in the current organization; a key has those of the person who made it.

    A key that nobody made (an agent's, a machine's) has the roles its organization has.
    """
    key = key_of(request)
    members = Membership.objects.of(current_organization(request))
    if key is None:
        members = members.of_user(person_of(request))
    elif key.created_by is not None:
        members = members.of_user(key.created_by)
    return members.roles()


def looks_after(request: AnyRequest, permission: str) -> bool:
    """Whether the caller is an operator or auditor with that permission of the desk, in person and let in there.

    A key never is, nor is somebody without the second factor that the desk asks for.
    """
    person = request.user
    if key_of(request) is not None or not isinstance(person, User) or not person.is_staff:
        return False
    return person.has_perm(permission) and (is_mfa_enabled(person) or not settings.REQUIRE_OPERATOR_MFA)


def require_role(request: AnyRequest, *roles: Role | str) -> Organization:
    """The current organization, when the caller has one of `roles` in it; raises RoleMissing."""
    organization = current_organization(request)
    have = roles_of(request)
    if not have & {str(role) for role in roles}:
        wanted = " or ".join(str(role) for role in roles)
        raise RoleMissing(
            f"this needs the role {wanted} in {organization.name}", wanted=sorted(map(str, roles)), have=sorted(have)
        )
    return organization


def actor_of(request: AnyRequest) -> str:
    """Who acts, as stored beside what they did: the key's id, or the person within the organization."""
    key = key_of(request)
    if key is not None:
        return key.public_id
    return f"person:{person_of(request).pk}@{current_organization(request).public_id}"
