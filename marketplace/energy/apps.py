from django.apps import AppConfig


class EnergyConfig(AppConfig):
    name = "marketplace.energy"
    label = "energy"
