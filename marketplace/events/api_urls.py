"""Addresses of the journal under /api/v1."""

from django.urls import path

from marketplace.events import api

urlpatterns = [path("events", api.EventsView.as_view(), name="api-events")]
