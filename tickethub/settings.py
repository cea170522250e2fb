"""Settings of TicketHub. Everything that differs between installations comes from the environment: see .env.example."""

import logging
import os
import sys
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from django.utils.csp import CSP

from tickethub import env
from tickethub.databases import tuned
from tickethub.env import BASE_DIR
from tickethub.recording import may_be_recorded
from tickethub.redis import redis_host

env.load()

# --- What an installation decides -------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
JWT_SIGNING_KEY = env.text("JWT_SIGNING_KEY")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEBUG else "")
PUBLIC_URL = env.origin("PUBLIC_URL", "http://localhost:8000" if DEBUG else "")
REDIS_URL = env.redis("REDIS_URL")
ENABLE_SILK = env.flag("ENABLE_SILK")
API_PAGES = env.choice("API_PAGES", "PUBLIC" if DEBUG else "STAFF", ["PUBLIC", "STAFF"])
THROTTLING = env.flag("THROTTLING", default=True)
METRICS_TOKEN = env.text("METRICS_TOKEN")

missing = [
    explanation
    for absent, explanation in [
        (len(SECRET_KEY) < 32, "SECRET_KEY (32 characters or more, random and secret)"),
        (
            JWT_SIGNING_KEY and (len(JWT_SIGNING_KEY) < 32 or JWT_SIGNING_KEY == SECRET_KEY),
            "JWT_SIGNING_KEY (32 characters or more, not those of SECRET_KEY; left out, it is derived from that)",
        ),
        (
            # A header that has others is read as another one than was sent: it would never fit.
            METRICS_TOKEN and (len(METRICS_TOKEN) < 16 or not METRICS_TOKEN.isascii()),
            "METRICS_TOKEN (16 ASCII characters or more, or none at all)",
        ),
        (not ALLOWED_HOSTS, "ALLOWED_HOSTS (the host names it is reached by, comma-separated)"),
        (
            PUBLIC_URL and ALLOWED_HOSTS and not DEBUG and not env.is_of(PUBLIC_URL, ALLOWED_HOSTS),
            "ALLOWED_HOSTS that have the host of PUBLIC_URL",
        ),
        (not PUBLIC_URL, "PUBLIC_URL (its address in mails, such as https://tickets.example.org)"),
    ]
    if absent
]
if missing:
    raise ImproperlyConfigured(
        "TicketHub cannot start without: " + "; ".join(missing) + ". Set them in the environment or in .env:"
        " .env.example explains each, and DEBUG=true gives all but the secret a value for development."
    )

SERVER_CORE = env.number("SERVER_CORE")

DATABASE_POOL_SIZE = env.number("DATABASE_POOL_SIZE", 10)
REQUESTS_AT_ONCE = max(DATABASE_POOL_SIZE - 2, 1)  # those that are left are for sockets and mails
DATABASES = {"default": tuned(env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}"), DATABASE_POOL_SIZE)}

EMAIL_HOST_NAME = env.text("EMAIL_HOST")
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": EMAIL_HOST_NAME,
            "port": env.number("EMAIL_PORT", 587, most=65_535),
            "username": env.text("EMAIL_USER"),
            "password": env.text("EMAIL_PASSWORD"),
            "use_tls": env.flag("EMAIL_USE_TLS", default=True),
            "timeout": 10,
        },
    }
    if EMAIL_HOST_NAME
    else {"BACKEND": f"tickethub.mail.{'Console' if DEBUG else 'No'}Backend"}
}
MAIL_THREADS = 2  # which send mails while requests go on; with none, requests send them
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.sender("EMAIL_FROM", "TicketHub <tickethub@localhost>")

CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/api/"
CORS_EXPOSE_HEADERS = ["ETag", "Location", "Retry-After", "X-Request-ID"]
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "if-match", "if-none-match", "x-request-id"]

# --- What TicketHub is made of ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # before staticfiles: it brings the runserver that speaks WebSocket
    "tickethub.apps.TicketHubConfig",  # before what it has templates for
    "tickethub.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "channels",
    "django_filters",
    "rest_framework",
    "rest_framework_simplejwt",
    "drf_yasg",
    "drf_spectacular",
    "accounts",
    "projects",
    "tasks",
    "comments",
    "realtime",
]

MIDDLEWARE = [
    "tickethub.middleware.RequestIDMiddleware",
    "tickethub.middleware.CacheControlMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tickethub.middleware.ProbeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tickethub.middleware.MessageMiddleware",
]

ROOT_URLCONF = "tickethub.urls"
ASGI_APPLICATION = "tickethub.asgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "admin:login"  # where Silk sends whom it does not know
LOGIN_REDIRECT_URL = "admin:index"  # where a login leads that names no page of ours

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [redis_host(REDIS_URL)]},
    }
    if REDIS_URL
    # By default it forgets a group after a day.
    else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"group_expiry": 10**9}}
}
CACHES = {
    "default": {
        "BACKEND": "tickethub.counting.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    # By default it forgets a counter after 300 others.
    else {"BACKEND": "tickethub.counting.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 100_000}}
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440  # bytes of a body; deploy/nginx.conf.template allows a little more
IMPORT_MAX_SIZE = env.number("IMPORT_MAX_MIB", 10) * 1024**2  # of one that is a file to import
IMPORT_MAX_ROWS = 50_000  # of such a file: what is made of them takes far more memory than their text
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # the admin's page of a task with its comments

TIME_ZONE = "UTC"  # or the API would show local offsets
SERIALIZATION_MODULES = {"jsonl": "tickethub.dumps"}  # of dumpdata and loaddata

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# The board, and the client that it imports. Beside each other, as in the repository.
STATICFILES_DIRS = [(f"tickethub/{name}", BASE_DIR / "clients" / name) for name in ("board", "js")]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG  # development needs no collectstatic
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "tickethub.storage.ModuleStorage"
    },
}

# --- Security ---------------------------------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "accounts.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
PASSWORD_HASHES_AT_ONCE = env.number("PASSWORD_HASHES_AT_ONCE", os.cpu_count() or 1)
AUTHENTICATION_BACKENDS = ["accounts.backends.AccountBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_RESET_TIMEOUT = env.number("PASSWORD_RESET_MINUTES", 60) * 60
INVITATION_LIFETIME = timedelta(days=env.number("INVITATION_DAYS", 14))

SESSION_ENGINE = "accounts.cookies"
CSRF_COOKIE_HTTPONLY = True  # no script of ours reads it
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}
# Swagger UI and ReDoc style themselves and draw their icons from within, and ReDoc searches in a worker. The logo that
# ReDoc would get from its maker's site stays away.
API_PAGES_CSP = {
    **SECURE_CSP,
    "img-src": [CSP.SELF, "data:"],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "worker-src": [CSP.SELF, "blob:"],
}
# Silk, for staff alone, has scripts in its pages, and a calendar that makes some.
SILK_CSP = {
    **SECURE_CSP,
    "img-src": [CSP.SELF, "data:"],
    "script-src": [CSP.SELF, CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}

SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
if not DEBUG:
    HTTPS = PUBLIC_URL.startswith("https://")
    SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
    SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
    if env.flag("BEHIND_PROXY"):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# --- The API ----------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.SessionTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["tickethub.projections.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tickethub.parsers.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["tickethub.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "tickethub.pagination.StrictLimitOffsetPagination",
    "DEFAULT_THROTTLE_CLASSES": [
        "tickethub.throttling.AnonThrottle",
        "tickethub.throttling.UserThrottle",
        "tickethub.throttling.ScopedThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        scope: rate if THROTTLING else None
        for scope, rate in {
            "anon": env.rate("THROTTLE_ANON", "300/min"),
            "user": env.rate("THROTTLE_USER", "1200/min"),
            "login": env.rate("THROTTLE_LOGIN", "20/min"),
            "account": env.rate("THROTTLE_ACCOUNT", "20/hour"),
            "refresh": env.rate("THROTTLE_REFRESH", "600/min"),
            "register": env.rate("THROTTLE_REGISTER", "20/hour"),
            "reset": env.rate("THROTTLE_RESET", "10/min"),
            "password": env.rate("THROTTLE_PASSWORD", "20/min"),
            "invitation": env.rate("THROTTLE_INVITATION", "60/hour"),
            "invited": env.rate("THROTTLE_INVITED", "20/hour"),
            "import": env.rate("THROTTLE_IMPORT", "30/hour"),
            "export": env.rate("THROTTLE_EXPORT", "60/hour"),
            "accept": env.rate("THROTTLE_ACCEPT", "20/min"),
            "socket": env.rate("THROTTLE_SOCKET", "600/min"),
            "token": env.rate("THROTTLE_TOKEN", "60/min"),
        }.items()
    },
    "NUM_PROXIES": 1 if env.flag("BEHIND_PROXY") else 0,
    "EXCEPTION_HANDLER": "tickethub.handlers.exception_handler",
    "PAGE_SIZE": env.number("PAGE_SIZE", 50),
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
MAX_PAGE_SIZE = env.number("MAX_PAGE_SIZE", 100)

SESSION_LIFETIME = timedelta(days=env.number("SESSION_DAYS", 30))
REFRESH_HELD_FOR = timedelta(milliseconds=500)  # the answer, so that of two tabs that ask at once neither is a thief
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.number("ACCESS_TOKEN_MINUTES", 10)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.number("REFRESH_TOKEN_DAYS", 7)),
    # A key of its own: whoever gets hold of it forges no password link and no cookie.
    "SIGNING_KEY": JWT_SIGNING_KEY or salted_hmac("JWT", "signing key", SECRET_KEY, algorithm="sha256").hexdigest(),
    "ISSUER": env.text("JWT_ISSUER", PUBLIC_URL),
    "AUDIENCE": "tickethub",
    "AUTH_TOKEN_CLASSES": ["accounts.tokens.AccessToken"],
    "CHECK_REVOKE_TOKEN": True,  # a changed password ends every earlier token
    "TOKEN_REFRESH_SERIALIZER": "accounts.serializers.TokenRefreshSerializer",
}

# The socket: seconds, bytes and counts; docs/realtime.md says what each does to a client.
WEBSOCKET = {
    "AUTHENTICATE_WITHIN": 5,
    "EXPIRY_GRACE": 20,
    "PING_EVERY": 25,
    "WINDOW": env.number("WEBSOCKET_WINDOW_KIB", 1024) * 1024,
    "ROOM_WITHIN": 60,
    "MAX_FRAME": env.number("WEBSOCKET_MAX_FRAME_KIB", 64) * 1024,
    "MAX_MESSAGES_PER_MINUTE": env.number("WEBSOCKET_MESSAGES_PER_MINUTE", 600),
    "MAX_SUBSCRIPTIONS": env.number("WEBSOCKET_MAX_SUBSCRIPTIONS", 200),
    "MAX_LINES": env.number("WEBSOCKET_MAX_LINES", 100),
    "HEAL_EVERY": 1,
}
EVENT_RETENTION_DAYS = env.number("EVENT_RETENTION_DAYS", 30, most=100_000)

# --- Documentation and profiling ----------------------------------------------------------------------------------

SWAGGER_USE_COMPAT_RENDERERS = False
SWAGGER_SETTINGS = {
    "DEFAULT_INFO": "tickethub.schema.info",
    "DEFAULT_GENERATOR_CLASS": "tickethub.schema.Generator",
    "DEFAULT_AUTO_SCHEMA_CLASS": "tickethub.inspectors.AutoSchema",
    "DEFAULT_FIELD_INSPECTORS": [
        "tickethub.inspectors.SerializerInspector",
        "tickethub.inspectors.ChoiceInspector",
        "drf_yasg.inspectors.DictFieldInspector",
        "drf_yasg.inspectors.JSONFieldInspector",
        "drf_yasg.inspectors.RelatedFieldInspector",
        "drf_yasg.inspectors.SimpleFieldInspector",
        "drf_yasg.inspectors.StringDefaultFieldInspector",
    ],
    "DEFAULT_PAGINATOR_INSPECTORS": ["tickethub.inspectors.PageInspector"],
    "SECURITY_DEFINITIONS": {
        "Bearer": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "description": "`Bearer <access token>`, with the token that `auth/token/` gave.",
        }
    },
    "SPEC_URL": ("schema", {"format": "json"}),
    "VALIDATOR_URL": None,  # or each page would ask a validator somewhere else
    "USE_SESSION_AUTH": False,
    "PERSIST_AUTH": True,
    "DEFAULT_MODEL_RENDERING": "example",
    "DISPLAY_OPERATION_ID": False,
    "DEEP_LINKING": True,
}
REDOC_SETTINGS = {
    "SPEC_URL": ("schema", {"format": "json"}),
    "EXPAND_RESPONSES": "200,201,202",
    "HIDE_HOSTNAME": True,
    "REQUIRED_PROPS_FIRST": True,
}

# OpenAPI 3.1, for what generates clients.
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "tickethub.openapi.Generator",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SCHEMA_PATH_PREFIX_TRIM": True,
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # our own names tell them apart
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,  # those of serializers are for us
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_SUFFIX": "",
    "ENUM_NAME_OVERRIDES": {
        "RelationType": "tickethub.openapi.RELATION_TYPES",
        "Role": "tickethub.openapi.ROLES",
        "StatusCategory": "tickethub.openapi.STATUS_CATEGORIES",
    },
}

SILKY_MIDDLEWARE_CLASS = "tickethub.profiling.SilkMiddleware"
SILKY_AUTHENTICATION = SILKY_AUTHORISATION = True  # staff alone
SILKY_PYTHON_PROFILER = False  # it fails under threads
SILKY_MAX_RECORDED_REQUESTS = 1000
SILKY_MAX_RECORDED_REQUESTS_CHECK_PERCENT = 1
SILKY_MAX_RESPONSE_BODY_SIZE = 64 * 1024
SILKY_INTERCEPT_FUNC = may_be_recorded
# And where a secret goes astray, to a mistyped address: what has such a name is not kept.
SILKY_SENSITIVE_KEYS = {"password", "token", "refresh", "access", "secret"}
if ENABLE_SILK:
    INSTALLED_APPS += ["silk"]
    MIDDLEWARE.insert(MIDDLEWARE.index("whitenoise.middleware.WhiteNoiseMiddleware") + 1, SILKY_MIDDLEWARE_CLASS)

# --- The log ------------------------------------------------------------------------------------------------------

logging.raiseExceptions = DEBUG  # or a record that cannot be written would print itself, as it came
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "tickethub.middleware.RequestIDFilter"}},
    "formatters": {
        "json": {"()": "tickethub.logs.JSONFormatter"},
        "line": {
            "()": "tickethub.logs.LineFormatter",
            "format": "{asctime} {levelname} {name} [{request_id}] {message}",
            "style": "{",
        },
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": env.choice("LOG_FORMAT", "LINE" if DEBUG else "JSON", ["JSON", "LINE"]).lower(),
            "filters": ["request_id"],
        },
    },
    "loggers": {
        "django": {"handlers": []},  # its own handler would tell everything a second time
        # `tickethub.access` tells of every request, and knows what is secret in an address. These tell it again.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.channels.server": {"level": "CRITICAL"},
        # With all parameters, hashes and tokens among them. Silk shows queries.
        "django.db.backends": {"level": "INFO"},
    },
    "root": {"handlers": ["stderr"], "level": env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])},
}
