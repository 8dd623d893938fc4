"""Paths of the desk's own pages; they lie under /admin/."""

from django.urls import path

from frontend.desk import booking, money, objections

urlpatterns = [
    path("", money.money_page, name="desk-money"),
    path("outbox/", money.outbox_switch, name="desk-outbox"),
    path("book/<slug:kind>/", booking.book_page, name="desk-book"),
    path("objections/", objections.objections_page, name="desk-objections"),
    path("objections/<str:objection>/", objections.decide_objection, name="desk-objection"),
    path("requests/<str:request_id>/", booking.decide, name="desk-decide"),
]
