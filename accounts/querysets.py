"""Questions about people, organizations and keys, and the way every owned thing is asked for."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from django.contrib.auth.base_user import BaseUserManager
from django.db import models
from django.db.models import Q

from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from accounts.models import ApiKey, IdempotencyKey, Membership, Organization, User  # noqa: F401

Owned = TypeVar("Owned", bound=models.Model)


class OwnedQuerySet(PublicQuerySet[Owned]):
    """Rows that belong to an organization: ask `of(organization)` first, then for anything else.

    `owner_paths` names the fields that lead to the owner; a two-sided row such as a reservation names both.
    """

    owner_paths: ClassVar[tuple[str, ...]] = ("organization",)

    def of(self, organization: "Organization") -> Self:
        """Only rows that belong to `organization`."""
        return self.of_any([organization])

    def of_any(self, organizations: Iterable["Organization"]) -> Self:
        """Only rows that belong to one of `organizations`."""
        keys = [organization.pk for organization in organizations]
        owned = Q()
        for path in self.owner_paths:
            owned |= Q(**{f"{path}__in": keys})
        return self.filter(owned)


class UserManager(BaseUserManager["User"]):
    """People are made by e-mail address."""

    use_in_migrations = False

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user: User = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class OrganizationQuerySet(OwnedQuerySet["Organization"]):
    owner_paths = ("pk",)

    def with_member(self, user: "User") -> Self:
        return self.filter(members=user).distinct()


class MembershipQuerySet(OwnedQuerySet["Membership"]):
    def of_user(self, user: "User") -> Self:
        return self.filter(user=user).select_related("organization")

    def in_organization(self, organization: "Organization") -> Self:
        return self.of(organization)

    def roles(self) -> frozenset[str]:
        return frozenset(self.values_list("role", flat=True))


class ApiKeyQuerySet(OwnedQuerySet["ApiKey"]):
    def usable(self, now: datetime) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def of_organizations(self, organizations: Iterable["Organization"]) -> Self:
        return self.of_any(organizations)

    def idle_since(self, moment: datetime) -> Self:
        """Keys not seen at or after `moment`."""
        return self.filter(Q(last_used_at=None) | Q(last_used_at__lt=moment))


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def of_actor(self, actor: str, key: str) -> Self:
        return self.filter(actor=actor, key=key)

    def forgotten(self, now: datetime, age: timedelta) -> Self:
        """Answers older than `age`, which no client may ask for again."""
        return self.filter(created_at__lt=now - age)
