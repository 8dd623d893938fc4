"""Settings of the stream process: the product's, with the streams' addresses and nothing that pages need."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "config.stream_urls"
MIDDLEWARE = [
    "marketplace.common.middleware.RequestIdMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # allauth refuses to load without it
]
