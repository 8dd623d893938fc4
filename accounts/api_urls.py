"""Paths of the accounts under /api/v1/."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("me", api.MeView.as_view(), name="me"),
    path("organizations", api.OrganizationsView.as_view(), name="organizations"),
    path("memberships", api.MembershipsView.as_view(), name="memberships"),
    path("api_keys", api.KeysView.as_view(), name="api-keys"),
    path("api_keys/<str:public_id>", api.KeyView.as_view(), name="api-key"),
    path("api_keys/<str:public_id>/revoke", api.RevokeKeyView.as_view(), name="api-key-revoke"),
]
