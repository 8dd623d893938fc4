"""The tables of `benchmarks/orm.py`: offers, their hours, and the allocations. They live in a database of their own."""

from django.db import connection, models

from scheduler.core.types import Snapshot


class PeerOffer(models.Model):
    """One offer, with the milliseconds from each place."""

    name = models.CharField(max_length=20, unique=True)
    accelerator = models.CharField(max_length=20, db_index=True)
    pf_milli = models.IntegerField()
    latency_ms = models.JSONField()

    class Meta:
        app_label = "benchmarks"


class PeerHour(models.Model):
    """One hour of an offer."""

    offer = models.ForeignKey(PeerOffer, on_delete=models.CASCADE, related_name="hours")
    hour = models.IntegerField()
    price = models.IntegerField()
    share_ppm = models.IntegerField()
    free = models.IntegerField()

    class Meta:
        app_label = "benchmarks"
        ordering = ["hour"]
        constraints = [models.UniqueConstraint(fields=["offer", "hour"], name="peer_hour_once")]


class PeerAllocation(models.Model):
    """Which offer a job got, and from which hour on."""

    job = models.CharField(max_length=20, unique=True)
    offer = models.ForeignKey(PeerOffer, on_delete=models.CASCADE)
    first = models.IntegerField()

    class Meta:
        app_label = "benchmarks"


def fill(snapshot: Snapshot) -> None:
    """Make the tables and write the market."""
    with connection.schema_editor() as schema:
        for model in (PeerOffer, PeerHour, PeerAllocation):
            schema.create_model(model)
    offers = PeerOffer.objects.bulk_create(
        PeerOffer(name=each.id, accelerator=each.accelerator, pf_milli=each.pf_milli, latency_ms=dict(each.latency_ms))
        for each in snapshot.offers
    )
    PeerHour.objects.bulk_create(
        (
            PeerHour(offer=row, hour=hour, price=each.price[hour], share_ppm=each.share_ppm[hour], free=each.free[hour])
            for row, each in zip(offers, snapshot.offers, strict=True)
            for hour in range(snapshot.hours)
        ),
        batch_size=5_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
