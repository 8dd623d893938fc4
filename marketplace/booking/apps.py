from django.apps import AppConfig


class BookingConfig(AppConfig):
    name = "marketplace.booking"
    label = "booking"
