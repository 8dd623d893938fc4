"""Write the reference pages under docs/: python manage.py write_reference"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.reference import PAGES


class Command(BaseCommand):
    """Overwrites docs/errors.md and docs/states.md."""

    help = "Write docs/errors.md and docs/states.md from the code."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for name, page in PAGES.items():
            (settings.BASE_DIR / "docs" / name).write_text(page(), encoding="utf-8")
            self.stdout.write(f"docs/{name}")
