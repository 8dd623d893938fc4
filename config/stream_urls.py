"""What the stream process answers."""

from django.urls import path

from config.health import health
from scheduler import streams

urlpatterns = [
    path("health", health, name="health"),
    path("api/v1/jobs/<str:job>/logs", streams.job_stream, name="job-stream"),
    path("api/v1/events", streams.event_stream, name="event-stream"),
]
