from django.apps import AppConfig


class FrontendConfig(AppConfig):
    name = "frontend"

    def ready(self) -> None:
        """Name the models for the desk."""
        from frontend.desk.names import name_models  # noqa: PLC0415 - models are loaded by now

        name_models()
