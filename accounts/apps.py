from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and organizations")

    def ready(self) -> None:
        """Let the API's schema describe how keys are sent."""
        from accounts import schema  # noqa: F401, PLC0415  (needs the app registry)
