from importlib import import_module

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Holds the commands that see every table."""

    name = "config"

    def ready(self) -> None:
        import_module("config.celery")  # so that `.delay()` speaks to our broker in every process
