"""People, organizations, their members and their keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.querysets import (
    ApiKeyQuerySet,
    IdempotencyKeyQuerySet,
    MembershipQuerySet,
    OrganizationQuerySet,
    UserManager,
)
from marketplace.common import references
from marketplace.common.ids import PublicIdField

HEAVIEST = 1000


class Role(models.TextChoices):
    """What a member may do in the organization."""

    BUYER = "buyer", _("Buyer")
    PROVIDER = "provider", _("Provider")
    OPERATOR = "operator", _("Operator")
    AUDITOR = "auditor", _("Auditor")


class User(AbstractUser):
    """A person who signs in by e-mail address."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # made by e-mail address

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles this person has in any organization."""
        return frozenset(self.memberships.values_list("role", flat=True))

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Operators may do everything in the admin, auditors may look; nobody else enters it."""
        if not self.is_active:
            return False
        if self.is_superuser or Role.OPERATOR in self.roles:
            return True
        return Role.AUDITOR in self.roles and perm.partition(".")[2].startswith("view_")

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and (self.is_superuser or bool(self.roles & {Role.OPERATOR, Role.AUDITOR}))


class Organization(models.Model):
    """Who buys, sells, operates or audits; everything owned belongs to one."""

    public_id = PublicIdField("org")
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    sample = models.BooleanField(default=False)
    weight = models.PositiveSmallIntegerField(
        _("weight"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(HEAVIEST)],
        help_text=_("Its part of scarce hours: an organization of weight 2 may use twice as much as one of weight 1."),
    )
    created_at = models.DateTimeField()
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(weight__range=(1, HEAVIEST)), name="organization_weight_in_range"),
        ]
        triggers = [references.stays("organization_stays")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One role of one person in one organization."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField()

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "user", "role"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} of {self.organization_id}"


class ApiKey(models.Model):
    """A key of an organization: only the SHA-256 of its secret is kept."""

    public_id = PublicIdField("key")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="api_keys")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys", null=True)
    name = models.CharField(max_length=80)
    secret_sha256 = models.CharField(max_length=64)
    live = models.BooleanField(default=False)
    scopes = ArrayField(models.CharField(max_length=24))
    site = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="api_key_has_scopes"),
            models.CheckConstraint(
                condition=Q(("secret_sha256__regex", "^[0-9a-f]{64}$")), name="api_key_secret_is_a_hash"
            ),
            models.CheckConstraint(
                condition=~Q(scopes__contains=["agent"]) | ~Q(site=""), name="api_key_of_an_agent_names_its_site"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    def is_usable(self, now: datetime) -> bool:
        """Neither revoked, nor expired, nor made by somebody whose account is closed."""
        expired = self.expires_at is not None and self.expires_at <= now
        closed = self.created_by is not None and not self.created_by.is_active
        return self.revoked_at is None and not expired and not closed


class IdempotencyKey(models.Model):
    """One (actor, key) has one effect; the stored answer is replayed for a day."""

    actor = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    pk = models.CompositePrimaryKey("actor", "key")

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_by_age")]

    def __str__(self) -> str:
        return f"{self.actor} {self.key}"
