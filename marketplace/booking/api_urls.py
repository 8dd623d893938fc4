"""Addresses of booking under /api/v1.

`reservations` itself and what concerns the jobs inside are the scheduler's, which also quotes anew.
"""

from django.urls import path

from marketplace.booking.api import disputes, reservations

urlpatterns = [
    path("disputes", disputes.DisputesView.as_view(), name="api-disputes"),
    path("reservations/<str:reservation>", reservations.ReservationView.as_view(), name="api-reservation"),
    path("reservations/<str:reservation>/confirm", reservations.ConfirmView.as_view(), name="api-reservation-confirm"),
]
