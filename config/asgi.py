"""The event streams: Server-Sent Events in one small asynchronous process."""

import os

from django.core.asgi import get_asgi_application

from config.env import one_line_for_a_bad_setting
from config.roles import refuse_owner

os.environ["DJANGO_SETTINGS_MODULE"] = "config.stream_settings"  # whatever the shell says: other addresses

with one_line_for_a_bad_setting():
    application = get_asgi_application()
    refuse_owner()
