"""Make an instance ready to serve: python manage.py prepare"""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError


def static_digest() -> str:
    """A digest of every static file's place, size and time, and of the storage that writes them."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            facts = Path(storage.path(name)).stat()
            digest.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Command(BaseCommand):
    """Migrations, sample market, static files and the matcher's machine code; safe to repeat, keeps all data."""

    requires_system_checks = ()  # the tests run them; a start need not wait
    help = "Migrate, load the sample market, collect the static files where they changed, compile the matcher."

    def handle(self, *_args: Any, **_options: Any) -> None:
        warming = subprocess.Popen([sys.executable, "-m", "scheduler.core.warm"])
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write("database: up to date")
        call_command("load_sample", stdout=self.stdout)
        self.collect_static()
        if warming.wait():
            raise CommandError("the matcher's code could not be compiled; the lines above say why")
        self.stdout.write("matcher: compiled")

    def collect_static(self) -> None:
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        wanted = static_digest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        call_command("collectstatic", verbosity=0, interactive=False)
        stamp.write_text(wanted)
        self.stdout.write("static files: collected")
