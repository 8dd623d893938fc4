"""Where everything is."""

from django.contrib import admin
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config.health import health
from marketplace.energy.api.receipts import WellKnownKeysView

admin.site.index_title = _("Everything on record")

urlpatterns = [
    path("health", health, name="health"),
    path(".well-known/jwks.json", WellKnownKeysView.as_view(), name="jwks"),
    path("admin/money/", include("frontend.desk.urls")),
    path("admin/evidence/", include("frontend.desk.evidence_urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("api/v1/", include("accounts.api_urls")),
    path("api/v1/", include("marketplace.energy.api_urls")),
    path("api/v1/", include("marketplace.catalog.api_urls")),
    path("api/v1/", include("marketplace.booking.api_urls")),
    path("api/v1/", include("marketplace.ledger.api_urls")),
    path("api/v1/", include("marketplace.events.api_urls")),
    path("api/v1/", include("marketplace.ledger.api_urls")),
    path("api/v1/", include("scheduler.api_urls")),
    path("files/", include("scheduler.file_urls")),
    path("", include("frontend.urls")),
]

handler400 = "frontend.errors.bad_request"
handler403 = "frontend.errors.forbidden"
handler404 = "frontend.errors.not_found"
handler500 = "frontend.errors.server_error"
