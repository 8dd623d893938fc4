"""The operators' view of people, organizations and keys. Changes go through the services."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa import admin as mfa_admin
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from accounts.models import ApiKey, Membership, Organization, User
from accounts.services import add_member, remove_member, revoke_key
from marketplace.common.clock import utc_now

# The admin's own form knows no second factor: whoever comes without a session signs in like everybody else.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class LookOnly(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    """Rows that services alone write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembersInline(TabularInline):  # type: ignore[misc]  # the package is untyped
    """Who belongs to the organization."""

    model = Membership
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    extra = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A role is given or taken away, never rewritten."""
        return False


if admin.site.is_registered(mfa_admin.Authenticator):
    admin.site.unregister(Authenticator)  # its pages would show the secrets of second factors


@admin.register(Organization)
class OrganizationAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    list_display = ("name", "public_id", "country", "currency", "weight", "sample", "created_at")
    list_filter = ("sample", "country")
    search_fields = ("name", "public_id")
    readonly_fields = ("public_id", "sample", "created_at")
    inlines = (MembersInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Members join and leave through the services, so that their rights follow."""
        formset.save(commit=False)
        for member in formset.deleted_objects:
            remove_member(member=member)
        for member in formset.new_objects:
            add_member(organization=member.organization, user=member.user, role=member.role, now=utc_now())


@admin.register(User)
class UserAdmin(LookOnly):
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    fields = ("email", "name", "language", "is_active", "is_staff", "last_login", "date_joined")
    ordering = ("email",)


@admin.register(ApiKey)
class ApiKeyAdmin(LookOnly):
    list_display = ("public_id", "name", "organization", "live", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("live",)
    search_fields = ("public_id", "name", "organization__name")
    fields = (
        "public_id", "name", "organization", "created_by", "live", "scopes", "site",
        "created_at", "expires_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    actions = ("revoke",)

    @admin.action(description=_("Revoke the selected keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Refuse these keys from the next request on."""
        for key in queryset:
            revoke_key(key=key, now=utc_now())

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")
