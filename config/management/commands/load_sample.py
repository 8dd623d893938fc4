"""Load the sample market and write DATA_DIR/sample.json: python manage.py load_sample"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.sample.accounts import load_accounts, write_sample_file
from config.sample.loading import load_market
from marketplace.catalog.models import Offer, Site
from marketplace.common.clock import utc_now


class Command(BaseCommand):
    """Idempotent: what is there stays."""

    help = "Load the sample market (places, sites, offers, accounts) and write sample.json."

    def handle(self, *_args: Any, **_options: Any) -> None:
        now = utc_now()
        organizations = load_accounts(now=now)
        load_market(now=now, owner=organizations["provider"])
        write_sample_file(path=settings.DATA_DIR / "sample.json", now=now)
        sites, offers = Site.objects.filter(sample=True).count(), Offer.objects.filter(sample=True).count()
        self.stdout.write(f"sample market: {sites} sites, {offers} offers")
