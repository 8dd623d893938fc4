"""Addresses of energy under /api/v1."""

from django.urls import URLPattern, path

from marketplace.energy.api import (
    cancellations,
    emissions,
    grid,
    lots,
    meters,
    receipts,
    scores,
    sources,
    stores,
    windows,
)
from marketplace.energy.api.places import FindZone

urlpatterns = [
    path("energy/zones", grid.ZonesView.as_view(), name="api-energy-zones"),
    path("energy/hours", grid.HoursView.as_view(), name="api-energy-hours"),
    path("energy/forecasts", grid.ForecastsView.as_view(), name="api-energy-forecasts"),
    path("energy/forecasts/scores", scores.ScoresView.as_view(), name="api-energy-forecast-scores"),
    path("energy_sources", sources.SourcesView.as_view(), name="api-energy-sources"),
    path("energy_sources/<str:source>", sources.SourceView.as_view(), name="api-energy-source"),
    path("energy_sources/<str:source>/charges", stores.ChargesView.as_view(), name="api-store-charges"),
    path("energy_sources/<str:source>/discharges", stores.DischargesView.as_view(), name="api-store-discharges"),
    path("energy_sources/<str:source>/shares", sources.SharesView.as_view(), name="api-energy-source-shares"),
    path("meter_points", meters.PointsView.as_view(), name="api-meter-points"),
    path("meter_points/<str:point>", meters.PointView.as_view(), name="api-meter-point"),
    path("meter_points/<str:point>/labels/<int:year>", meters.PointLabelView.as_view(), name="api-meter-point-label"),
    path("meter_readings", meters.ReadingsView.as_view(), name="api-meter-readings"),
    path("certificate_lots", lots.LotsView.as_view(), name="api-certificate-lots"),
    path("certificate_lots/<str:lot>", lots.LotView.as_view(), name="api-certificate-lot"),
    path("receipts", receipts.ReceiptsView.as_view(), name="api-receipts"),
    path("receipts/keys", receipts.ReceiptKeysView.as_view(), name="api-receipt-keys"),
    path("receipts/verify", receipts.VerifyView.as_view(), name="api-receipts-verify"),
    path("receipts/report", receipts.ReportView.as_view(), name="api-receipts-report"),
    path("receipts/<str:receipt>", receipts.ReceiptView.as_view(), name="api-receipt"),
    path("receipts/<str:receipt>/pdf", receipts.ReceiptPdfView.as_view(), name="api-receipt-pdf"),
    path("receipts/<str:receipt>/status", receipts.ReceiptStatusView.as_view(), name="api-receipt-status"),
    path(
        "certificate_lots/<str:lot>/cancellations", cancellations.CancellationsView.as_view(),
        name="api-certificate-lot-cancellations",
    ),
]  # fmt: skip


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
