"""Addresses of booking under /api/v1.

`reservations` itself and what concerns the jobs inside are the scheduler's, which also quotes anew.
"""

from django.urls import path

from marketplace.booking import api

urlpatterns = [
    path("reservations/<str:reservation>", api.ReservationView.as_view(), name="api-reservation"),
    path("reservations/<str:reservation>/confirm", api.ConfirmView.as_view(), name="api-reservation-confirm"),
]
