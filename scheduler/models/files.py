"""What goes into a job and what comes out: uploads, inputs, log and outputs."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization
from marketplace.common.ids import PublicIdField
from scheduler.models.jobs import Attempt, Job


class Upload(models.Model):
    """A file a buyer sent ahead of a job."""

    public_id = PublicIdField("upl")
    owner = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="uploads")
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.public_id


class JobInput(models.Model):
    """One uploaded file at its path in the job's folder."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="inputs")
    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=400)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["job", "path"], name="job_input_once_per_path")]

    def __str__(self) -> str:
        return self.path


class Artifact(models.Model):
    """One output file of an attempt; `stored_at` is set once its bytes came with the promised hash."""

    public_id = PublicIdField("art")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="artifacts")
    path = models.CharField(max_length=400)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["attempt", "path"], name="artifact_once_per_path"),
            models.CheckConstraint(condition=Q(stored_at=None) | ~Q(stored_as=""), name="artifact_stored_somewhere"),
        ]

    def __str__(self) -> str:
        return self.path


class LogChunk(models.Model):
    """Bytes [offset, offset + size) of an attempt's log."""

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="log_chunks")
    offset = models.BigIntegerField()
    data = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["attempt", "offset"]
        constraints = [
            models.UniqueConstraint(fields=["attempt", "offset"], name="log_chunk_once_per_offset"),
            models.CheckConstraint(condition=Q(offset__gte=0), name="log_chunk_offset_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.attempt_id}@{self.offset}"
