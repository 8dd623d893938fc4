"""Paths of the desk's pages of green evidence; they lie under /admin/."""

from django.urls import path

from frontend.desk import evidence, lots, withdrawing

urlpatterns = [
    path("", evidence.queue_page, name="desk-evidence"),
    path("sources/<str:source>/", evidence.source_page, name="desk-source"),
    path("sources/<str:source>/revoke/", withdrawing.revoke_page, name="desk-revoke"),
    path("files/<str:holder>/<str:sha256>/", lots.delivery_page, name="desk-delivery"),
    path("lots/<str:lot>/", lots.lot_page, name="desk-lot"),
    path("lots/<str:lot>/withdraw/", withdrawing.withdraw_page, name="desk-withdraw"),
]
