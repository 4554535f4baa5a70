"""From open engines to a running server: one process, or a parent with workers.

Apps are found by entry point.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from contextlib import closing, suppress
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, NoReturn

from keyhalt.cli.context import EXIT_CONFIG, Failure
from keyhalt.client.checking import AppError, check_app
from keyhalt.config import (
    Settings,
    load_profile,
)
from keyhalt.core.permissions import CatalogueError
from keyhalt.core.secrets import digest_of
from keyhalt.embed import (
    Engine,
)
from keyhalt.environments import Installation, load_installation
from keyhalt.opening import open_engines, open_stores
from keyhalt.system.randomness import new_uuid, process_id
from keyhalt.telemetry.logs import configure
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from importlib.metadata import EntryPoint

    from keyhalt.client.middleware import ASGIApp
    from keyhalt.client.operations import App, AppContext
    from keyhalt.usecases.timing import Asker

VERSION = version("keyhalt")
BUILD_DATE = "2026-11-24T00:00:00Z"
ENTRY_POINTS = "keyhalt.apps"
_log = logging.getLogger("keyhalt")
_SERVE_ID = "_KEYHALT_SERVE_ID"


def asgi() -> ASGIApp:
    """The application of one worker process, from the settings of its environment."""
    installation = load_installation("", {})
    process = process_id(os.environ.get(_SERVE_ID, ""), os.getpid())
    engines = open_engines(installation, process=process)
    return _ready(application_of(installation, engines), installation.settings)


def load_apps(settings: Settings) -> list[App]:
    """The apps behind the keys that the settings name.

    Raises Failure for an unknown one, AppError for one that cannot be served.
    """
    context = _context_of(settings)
    found = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    unknown = [name for name in settings.app_names if name not in found]
    if unknown:
        raise Failure(f"KEYHALT_APPS names {unknown[0]!r}, which is not installed", EXIT_CONFIG)
    return [_opened(found[name], context) for name in settings.app_names]


def _context_of(settings: Settings) -> AppContext:
    from keyhalt.client.operations import AppContext  # noqa: PLC0415

    url, direct = settings.database_url, settings.listen_url
    return AppContext(
        profile=load_profile(settings.profile),
        folder=settings.data,
        database_url=url.get_secret_value() if url else None,
        database_direct_url=direct.get_secret_value() if direct else None,
        database_pool=settings.database_pool,
        database_statement_seconds=settings.database_statement_seconds,
    )


def _opened(entry: EntryPoint, context: AppContext) -> App:
    """Raises AppError."""
    try:
        app: App = entry.load()(context)
    except CatalogueError as error:
        raise AppError(
            f"the app {entry.name!r} does not go with the profile {context.profile.name!r}:"
            f" {error}. Is KEYHALT_APPS set to the apps that do, and KEYHALT_PROFILE to theirs?"
        ) from None
    check_app(app, entry.name)
    return app


def application(settings: Settings, engine: Engine, apps: Sequence[App] | None = None) -> ASGIApp:
    """The web application of one process. `apps`: instead of those that the settings name."""
    from keyhalt.client.legacy import LegacyNotice  # noqa: PLC0415
    from keyhalt.web.app import WebParts, build  # noqa: PLC0415
    from keyhalt.web.forward_auth.assertions import Signer  # noqa: PLC0415

    configure(access_log=settings.access_log, form=settings.log_format)
    apps = load_apps(settings) if apps is None else apps
    engine.trees.apps = apps

    given = settings.proxy_secret
    secret = None if given is None else given.get_secret_value().encode()

    def stop() -> None:
        for app in apps:
            app.close()
        engine.close()

    app = build(
        WebParts(
            verifier=engine.verify,
            issue=engine.issue,
            delete_key=engine.delete_key,
            look_up=engine.look_up,
            look_up_use=engine.look_up_use,
            read_audit=engine.read_audit,
            advise=engine.advise,
            narrow=engine.narrow,
            sign_in=engine.sign_in,
            exchange=engine.exchange,
            people=engine,
            pages=engine,
            profile=engine.profile,
            trees=engine.trees,
            apps=apps,
            checks={"rights": engine.ready},
            legacy=LegacyNotice(sunset=settings.sunset),
            insecure_http=settings.insecure_http,
            build_date=BUILD_DATE,
            version=VERSION,
            passwords_at_once=engine.options.passwords_at_once,
            on_stop=stop,
            trusted_proxies=settings.proxies,
            signer=Signer(engine.here.mac_keys),
            clock=engine.clock,
            find_policy=engine.find_policy,
            scrape=_scraping(engine),
            sample=engine.recording.timing.sample if engine.options.timed else _untimed,
            internal_port=settings.internal_port,
            proxy_secret_digest=None if secret is None else digest_of(secret),
        )
    )
    if settings.traces:
        from keyhalt.integrations.opentelemetry import Traced  # noqa: PLC0415 - only where wanted

        app = Traced(app)
    return app


def _untimed(_asker: Asker) -> None:
    pass


def _scraping(engine: Engine) -> Callable[[], tuple[bytes, str]]:
    def scrape() -> tuple[bytes, str]:
        # Only once somebody watches: it takes longer to import than to run.
        from keyhalt.telemetry.metrics import exposition  # noqa: PLC0415

        return exposition(engine.measure(), VERSION, engine.environment.name)

    return scrape


def application_of(installation: Installation, engines: Sequence[Engine]) -> ASGIApp:
    """The web application of one process, for all environments that it serves."""
    from keyhalt.web.environments import Served, by_host  # noqa: PLC0415

    served = [
        Served(
            each.name,
            each.hosts,
            application(each.settings, engine),
            engine.ready,
            each.settings.internal_port,
        )
        for each, engine in zip(installation.environments, engines, strict=True)
    ]
    return by_host(served) if served[0].hosts else served[0].app


def serve(
    installation: Installation,
    engines: Sequence[Engine],
    listeners: list[socket.socket],
    on_listening: Callable[[], None],
) -> None:
    if installation.settings.workers == 1:
        app = _ready(application_of(installation, engines), installation.settings)
        run_server(app, installation, listeners, on_listening)
        return
    for each in installation.environments:
        # What is wrong with an app is said once, before there are workers to fail of it.
        for checked in load_apps(each.settings):
            checked.close()
    for engine in engines:
        engine.close()
    _tell_workers(installation)
    run_server("keyhalt.running:asgi", installation, listeners, on_listening)


def run_server(
    app: ASGIApp | str,
    installation: Installation,
    listeners: list[socket.socket],
    on_listening: Callable[[], None],
) -> None:
    """`app` as a text: where each worker finds what makes its own."""
    import uvicorn  # noqa: PLC0415

    from keyhalt.web.server import Supervisor, server_config  # noqa: PLC0415

    settings = installation.settings
    for listener in listeners:
        listener.listen(2048)
        listener.set_inheritable(True)
    config = server_config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers if isinstance(app, str) else 1,
        certificate=str(settings.certificate) if settings.certificate else None,
        private_key=str(settings.private_key) if settings.private_key else None,
    )
    on_listening()
    if isinstance(app, str):
        Supervisor(config, listeners, _bury(installation)).run()
    else:
        uvicorn.Server(config).run(sockets=listeners)


def _ready(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application as a process of the server runs it."""
    from keyhalt.web.draining import Draining  # noqa: PLC0415

    # What is there by now stays. Looking at all of it again whenever Python collects its garbage
    # would hold up every request that comes meanwhile, for some 40 ms.
    gc.freeze()
    return Draining(app, settings.drain_seconds)


def _tell_workers(installation: Installation) -> None:
    # A worker starts from its environment; what a command's options said goes there.
    for name in ("data", "insecure_http", "workers", "drain_seconds", "internal_port"):
        value = getattr(installation.settings, name)
        if value is not None:
            os.environ[f"KEYHALT_{name.upper()}"] = str(value)
    if len(installation.environments) == 1:
        os.environ["KEYHALT_ENVIRONMENT"] = installation.environments[0].name
    os.environ[_SERVE_ID] = new_uuid()


def _bury(installation: Installation) -> Callable[[int], None]:
    """What the parent does for a worker that died: no change has to wait for its lease."""

    def bury(pid: int) -> None:
        for each in installation.environments:
            stores = open_stores(each.settings, create=False)
            # If it cannot be said, a change waits for the lease to end, once.
            with closing(stores), suppress(StoreUnavailableError):
                stores.bury(process_id(os.environ[_SERVE_ID], pid))

    return bury


def end_in_order() -> None:
    """From now on SIGTERM closes what is open. Before anything is that would be missed.

    A lease that nobody gives back is waited for by the next change.
    """
    signal.signal(signal.SIGTERM, _stopped)


def _stopped(_signal: int, _frame: object) -> NoReturn:
    # Also after uvicorn has stopped in order: it raises the signal again.
    sys.exit(0)


def announce(settings: Settings, listeners: Sequence[socket.socket]) -> Callable[[], None]:
    if settings.log_format == "json":
        configure(access_log=settings.access_log, form=settings.log_format)

    def say(text: str) -> None:
        if settings.log_format == "json":
            _log.info(text)
        else:
            sys.stderr.write(f"{text}\n")

    def announce() -> None:
        scheme = "https" if settings.certificate else "http"
        for number, listener in enumerate(listeners):
            host, port = listener.getsockname()[:2]
            what = " for proxies" if number else ""
            say(f"Keyhalt listens{what} on {scheme}://{host}:{port}")
        if settings.insecure_http:
            say(
                "KEYHALT_INSECURE_HTTP is set: keys and passwords travel readable for everybody"
                " on the way"
            )

    return announce
