"""Addresses of energy under /api/v1."""

from django.urls import path

from marketplace.energy.api import grid, scores

urlpatterns = [
    path("energy/zones", grid.ZonesView.as_view(), name="api-energy-zones"),
    path("energy/hours", grid.HoursView.as_view(), name="api-energy-hours"),
    path("energy/forecasts", grid.ForecastsView.as_view(), name="api-energy-forecasts"),
    path("energy/forecasts/scores", scores.ScoresView.as_view(), name="api-energy-forecast-scores"),
]
