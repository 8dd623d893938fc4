"""Addresses of energy under /api/v1."""

from django.urls import path

from marketplace.energy import api

urlpatterns = [
    path("energy/zones", api.ZonesView.as_view(), name="api-energy-zones"),
    path("energy/hours", api.HoursView.as_view(), name="api-energy-hours"),
    path("energy/forecasts", api.ForecastsView.as_view(), name="api-energy-forecasts"),
]
