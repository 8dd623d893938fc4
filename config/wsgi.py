"""Pages and API."""

import os

from django.core.wsgi import get_wsgi_application

from config.env import one_line_for_a_bad_setting
from config.roles import refuse_owner

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

with one_line_for_a_bad_setting():
    application = get_wsgi_application()
    refuse_owner()
