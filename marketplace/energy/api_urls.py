"""Addresses of energy under /api/v1."""

from django.urls import URLPattern, path

from marketplace.energy.api import emissions, grid, scores, windows
from marketplace.energy.api.places import FindZone

urlpatterns = [
    path("energy/zones", grid.ZonesView.as_view(), name="api-energy-zones"),
    path("energy/hours", grid.HoursView.as_view(), name="api-energy-hours"),
    path("energy/forecasts", grid.ForecastsView.as_view(), name="api-energy-forecasts"),
    path("energy/forecasts/scores", scores.ScoresView.as_view(), name="api-energy-forecast-scores"),
]


def urls_with_places(find_zone: FindZone) -> list[URLPattern]:
    """Addresses that take a place, which `find_zone` reads; mounted by the app that knows what else is one."""
    views = {
        "windows": windows.WindowsView,
        "emissions/bylocation": emissions.ByLocationView,
        "emissions/bylocations": emissions.ByLocationsView,
        "emissions/bylocations/best": emissions.BestLocationsView,
        "emissions/forecasts/current": emissions.ForecastsNowView,
        "emissions/forecasts/batch": emissions.ForecastsBatchView,
        "emissions/average-carbon-intensity": emissions.AverageView,
        "emissions/average-carbon-intensity/batch": emissions.AverageBatchView,
    }
    return [
        path(f"energy/{name}", view.as_view(find_zone=find_zone), name=f"api-energy-{name.replace('/', '-')}")
        for name, view in views.items()
    ]
