"""Paths of the pages."""

from django.conf import settings
from django.urls import include, path

from frontend.store import documents, status, styleguide, switches

urlpatterns = [
    path("theme/", switches.choose_theme, name="choose-theme"),
    path("language/", switches.choose_language, name="choose-language"),
    path("sample/<slug:role>/", switches.choose_sample_account, name="choose-sample-account"),
    path("", include("frontend.store.urls")),
    path("", include("frontend.store.job_urls")),
    path("console/", include("frontend.console.urls")),
    path("status/", status.status, name="status"),
    path("docs/", documents.documents, name="documents"),
    path("docs/<path:slug>/", documents.document, name="document"),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide/", styleguide.styleguide, name="styleguide"))
