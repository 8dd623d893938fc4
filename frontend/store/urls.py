"""Paths of the supermarket: search, offers, checkout, compare."""

from django.urls import path

from frontend.store import checkout, compare, offers, search

urlpatterns = [
    path("", search.storefront, name="store"),
    path("offers/<str:offer>/", offers.offer_page, name="offer"),
    path("checkout/<str:quote>/", checkout.checkout_page, name="checkout"),
    path("compare/", compare.compare_page, name="compare"),
]
