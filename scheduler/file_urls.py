"""Addresses of signed links."""

from django.urls import path

from scheduler.api.files import signed_file

urlpatterns = [path("<str:token>", signed_file, name="signed-file")]
