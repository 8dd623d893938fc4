"""Addresses of booking under /api/v1."""

from django.urls import path

from marketplace.booking import api

urlpatterns = [
    path("reservations", api.ReservationsView.as_view(), name="api-reservations"),
    path("reservations/<str:reservation>", api.ReservationView.as_view(), name="api-reservation"),
    path("reservations/<str:reservation>/confirm", api.ConfirmView.as_view(), name="api-reservation-confirm"),
    path("reservations/<str:reservation>/cancel", api.CancelView.as_view(), name="api-reservation-cancel"),
]
