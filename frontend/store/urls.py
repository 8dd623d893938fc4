"""Paths of the supermarket: search, offers, checkout, compare, and the pages of the sandbox processor."""

from django.urls import path

from frontend.store import checkout, compare, energy, offers, sandbox, search

urlpatterns = [
    path("", search.storefront, name="store"),
    path("offers/<str:offer>/", offers.offer_page, name="offer"),
    path("checkout/<str:quote>/", checkout.checkout_page, name="checkout"),
    path("energy/", energy.measured, name="energy"),
    path("energy/zones/", energy.zones, name="energy-zones"),
    path("compare/", compare.compare_page, name="compare"),
    path("sandbox/checkout/<str:session>/", sandbox.checkout_page, name="sandbox-checkout"),
    path("sandbox/3ds/<str:session>/", sandbox.bank_page, name="sandbox-3ds"),
    path("sandbox/payees/<str:payee>/", sandbox.payee_page, name="sandbox-payee"),
]
