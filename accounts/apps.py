from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Let the API's schema describe how keys are sent."""
        from accounts import schema  # noqa: F401, PLC0415  (needs the app registry)
