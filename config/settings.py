"""Settings of the product, read once from the environment; a bad value stops the start."""

from datetime import timedelta
from pathlib import Path

import structlog
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _
from environs import validate

from config import desk
from config.env import data_dir, database, database_of_owner, env, receipt_secret, redis_url, region_groups, secret_key
from config.payments import payments
from config.signals import signals
from marketplace.ledger.gateways import PAGES

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = data_dir()
PORT = env.int("PORT", 8000, validate=validate.Range(1, 65534))
WEB_URL = env.str("WEB_URL", f"http://127.0.0.1:{PORT}")
STREAM_URL = env.str("STREAM_URL", f"http://127.0.0.1:{PORT + 1}")

IN_PRODUCTION = WEB_URL.startswith("https://")
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = secret_key(DATA_DIR)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", [])

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_cotton",
    "pgtrigger",
    "accounts",
    "marketplace.events",
    "marketplace.ledger",
    "marketplace.energy",
    "marketplace.catalog",
    "marketplace.booking",
    "scheduler",
    "frontend",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "marketplace.common.middleware.RequestIdMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.CurrentOrganizationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.OperatorSecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "frontend" / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "frontend.context.page",
            ],
        },
    }
]

# A connection outlives its request or task: a fresh one costs 8 ms, and as much again until its catalog is warm.
DATABASES = {"default": database(DATA_DIR) | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}}
DATABASE_OF_OWNER = database_of_owner(DATA_DIR)  # for migrations alone, see config.roles
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = redis_url(DATA_DIR)
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CSRF_FAILURE_VIEW = "frontend.errors.csrf_failure"
LOGIN_URL = "account_login"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
REQUIRE_OPERATOR_MFA = env.bool("REQUIRE_OPERATOR_MFA", True)
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env.str("ACCOUNT_EMAIL_VERIFICATION", "optional")
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_RATE_LIMITS = {"login_failed": "5/m/ip,5/m/key"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = False
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Joulemart <no-reply@localhost>")

LANGUAGE_CODE = "en"
UNFOLD = desk.UNFOLD
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "frontend" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "frontend" / "static"]
MEDIA_ROOT = DATA_DIR / "files"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": MEDIA_ROOT}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Who takes the money.
_payments = payments(DATA_DIR)
PAYMENT_GATEWAY = _payments.gateway
STRIPE_API_KEY, STRIPE_API_BASE = _payments.api_key, _payments.api_base
STRIPE_WEBHOOK_SECRETS, STRIPE_ACCOUNT_ID = _payments.webhook_secrets, _payments.account
STRIPE_LIVEMODE = _payments.livemode
SANDBOX_FAULTS, SANDBOX_WEBHOOK_SECRET = _payments.faults, _payments.sandbox_secret
LIVEMODE = _payments.moves_money

# Who tells how clean the grid is, hour by hour; nobody unless SIGNALS says so.
SIGNALS = signals()

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IN_PRODUCTION
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/api/docs", "/admin"],
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, STREAM_URL],
        "form-action": [SELF, *PAGES[PAYMENT_GATEWAY]],  # a form may lead to the processor's own pages
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "accounts.authentication.SignedInAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.ScopedPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "URL_FORMAT_OVERRIDE": None,  # `format` is ours: usage?format=focus
    "DEFAULT_PARSER_CLASSES": ["marketplace.common.parsing.BoundedJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["marketplace.common.limits.PerMinute"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": None,
    "EXCEPTION_HANDLER": "marketplace.common.problems.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
RATE_LIMITS = {
    "read": env.int("RATE_READ", 600),
    "write": env.int("RATE_WRITE", 120),
    "quotes": env.int("RATE_QUOTES", 60),
    "agent": env.int("RATE_AGENT", 6000),
    "anonymous": env.int("RATE_ANONYMOUS", 60),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Joulemart API",
    "DESCRIPTION": "The computing-power supermarket: offers, quotes, reservations and jobs.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 30
CELERY_TASK_SOFT_TIME_LIMIT = 25
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
}

# The market's own numbers.
CURRENCY = env.str("CURRENCY", "USD")
FEE_BP = env.int("FEE_BP", 400, validate=validate.Range(0, 5000))
FEE_MODE = env.str("FEE_MODE", "on_top", validate=validate.OneOf(["on_top", "inside"]))
ADDED_FEE_BP = FEE_BP if FEE_MODE == "on_top" else 0  # what a price is raised by; inside, the fee is a part of it
SLA_CREDIT_BP = env.int("SLA_CREDIT_BP", 1000, validate=validate.Range(0, 10_000))
MATURITY_DAYS = env.int("MATURITY_DAYS", 7, validate=validate.Range(0, 90))
LEAST_PAYOUT_MINOR = env.int("LEAST_PAYOUT_MINOR", 1_000, validate=validate.Range(1, 10**9))
NEW_BUYER_CAP_MINOR = env.int("NEW_BUYER_CAP_MINOR", 50_000, validate=validate.Range(0, 10**12))  # 0: none
TWO_PERSON_LIMIT_MINOR = env.int("TWO_PERSON_LIMIT_MINOR", 10_000, validate=validate.Range(0, 10**12))  # 0: none
TAX_BP = env.int("TAX_BP", 0, validate=validate.Range(0, 5000))
# Who runs the market and asks for the money: printed on invoices. Live money needs a name.
OPERATOR = {
    "name": env.str("OPERATOR_NAME", ""),
    "address": env.str("OPERATOR_ADDRESS", "").replace("\\n", "\n"),
    "country": env.str("OPERATOR_COUNTRY", "", validate=validate.Regexp(r"^([A-Z]{2})?$")),
    "tax_id": env.str("OPERATOR_TAX_ID", ""),
}
RECEIPT_SECRET = receipt_secret(DATA_DIR)
HOLD_FOR = timedelta(minutes=env.int("HOLD_MINUTES", 10, validate=validate.Range(1, 60)))
WAIT_OFFER_FOR = timedelta(minutes=env.int("WAIT_OFFER_MINUTES", 60, validate=validate.Range(10, 1440)))
LEASE_SECONDS = env.int("LEASE_SECONDS", 40, validate=validate.Range(4, 600))
HEARTBEAT_SECONDS = env.int("HEARTBEAT_SECONDS", 10, validate=validate.Range(1, 200))
SWEEP_SECONDS = env.int("SWEEP_SECONDS", 5, validate=validate.Range(1, 60))
REGION_GROUPS = region_groups()  # {group: countries} that split every hardware family into shards; empty: none does
LOG_QUOTA_BYTES = env.int("LOG_QUOTA_BYTES", 16 * 1024 * 1024, validate=validate.Range(1))

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(colors=False) if DEBUG else structlog.processors.LogfmtRenderer(),
    ],
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {name: {"level": "WARNING"} for name in ("django.server", "celery", "stripe", "httpx")},
}
