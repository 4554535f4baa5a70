"""What the two contenders on Django share: settings for production, three addresses, gunicorn."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import django
from django.conf import settings


def configure(url: str, apps: list[str]) -> None:
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    settings.configure(
        SECRET_KEY=secrets.token_hex(32),
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="__main__",
        MIDDLEWARE=[],
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
            *apps,
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": unquote(parts.path[1:]),
                "USER": unquote(parts.username or ""),
                "PASSWORD": unquote(parts.password or ""),
                "HOST": host,
                "PORT": str(parts.port or ""),
                "CONN_MAX_AGE": None,
            }
        },
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        USE_TZ=True,
    )
    django.setup()


def serve(
    port: int,
    guarded: Any,
    create: Callable[[], dict[str, str]],
    delete: Callable[[str], None],
    respond: Any,
) -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415

    def keys(_request: Any) -> Any:
        return respond(create())

    def key(_request: Any, key_id: str) -> Any:
        delete(key_id)
        return respond({})

    call_command("migrate", verbosity=0)
    urls = [path("", guarded.as_view()), path("keys", keys), path("keys/<str:key_id>", key)]
    settings.ROOT_URLCONF = tuple(urls)

    class Server(BaseApplication):
        def load_config(self) -> None:
            for name, value in {
                "bind": f"127.0.0.1:{port}",
                "workers": 1,
                "threads": 4,
                "worker_class": "gthread",
                "keepalive": 60,
                "loglevel": "error",
            }.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return get_wsgi_application()

    from django.db import connections  # noqa: PLC0415

    connections.close_all()
    Server().run()
