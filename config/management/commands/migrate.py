"""`manage.py migrate`: Django's, as the owner of the tables; then the application gets its rights."""

from typing import Any

from django.core.management.commands import migrate

from config.roles import as_owner, settle


class Command(migrate.Command):
    """Migrates as the role of DATABASE_OWNER_URL, then gives that of DATABASE_URL its rights to what is there now."""

    def execute(self, *args: Any, **options: Any) -> Any:
        with as_owner():
            return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["check_unapplied"] or options["plan"]:
            return
        said = settle()
        if options["verbosity"] > 0:
            self.stdout.write(f"rights: {said}")
