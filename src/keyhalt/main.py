"""The composition root of the server and of the command line. Apps are found by entry point."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any, NoReturn

from keyhalt.cli.app import run
from keyhalt.cli.context import EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure
from keyhalt.config import (
    Settings,
    SettingsError,
    check_transport,
    load_profile,
    load_settings,
)
from keyhalt.core.marks import Mark
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import digest_of
from keyhalt.embed import (
    Engine,
    StoreOptions,
    mac_keys_of,
    open_engine,
    set_up_of,
    stores_of,
)
from keyhalt.library import database_of, options_of
from keyhalt.system.mark_file import MarkFile
from keyhalt.system.randomness import new_uuid, process_id
from keyhalt.upkeep import Upkeep
from keyhalt.usecases.ports import NotSetUpError, StoreUnavailableError
from keyhalt.usecases.rows import EnvironmentRow

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from keyhalt.client.middleware import ASGIApp
    from keyhalt.client.operations import App
    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Operator
    from keyhalt.embed import EngineOptions
    from keyhalt.proving.runs import Proof
    from keyhalt.storage.stores import Stores
    from keyhalt.usecases.manage_mac_keys import ManageMacKeys

VERSION = version("keyhalt")
BUILD_DATE = "2026-11-24T00:00:00Z"
ENTRY_POINTS = "keyhalt.apps"
_SERVE_ID = "_KEYHALT_SERVE_ID"


def main() -> NoReturn:
    sys.exit(run(MainTools()))


def asgi() -> ASGIApp:
    """The application of one worker process, from the settings of its environment."""
    settings = load_settings()
    serve_id = os.environ.get(_SERVE_ID, "")
    engine = open_engine(options_of(settings, process=process_id(serve_id, os.getpid())))
    return _draining(application(settings, engine), settings)


@dataclass(frozen=True, slots=True)
class MainTools:
    """What the commands borrow (cli/context.py). Each call reads the settings anew."""

    @contextmanager
    def engine(self, **said: object) -> Iterator[Engine]:
        settings = _settings(said)
        with _setup_errors():
            engine = open_engine(_options(settings))
        try:
            yield engine
        finally:
            engine.close()

    def init(
        self,
        *,
        environment: str,
        product: str,
        acting: Operator,
        origin: Origin,
        **said: object,
    ) -> EnvironmentRow:
        settings = _settings(said)
        profile = load_profile(settings.profile)
        stores = _stores(settings, create=True)
        try:
            stores.upgrade()
            new = EnvironmentRow(environment, product, profile.name, new_uuid())
            made = set_up_of(stores, profile).environment(acting, new, origin)
            if isinstance(made, Refused):
                raise Failure(made.detail, EXIT_CONFIG)
            if made is new:
                MarkFile(settings.mark_path).replace(Mark(new.cluster, 1))
            if settings.mac_keys is None:
                mac_keys_of(stores, settings.mac_keys_path).first()
            return made
        finally:
            stores.close()

    def proof(self, store: str) -> AbstractContextManager[Proof]:
        from keyhalt.proving.runs import proof  # noqa: PLC0415 - for this command only

        return proof(store)

    @contextmanager
    def mac_keys(self, **said: object) -> Iterator[ManageMacKeys]:
        """Without opening the engine, which needs the keys that may be lost."""
        settings = _settings(said)
        if settings.mac_keys is not None:
            raise Failure("the MAC keys are a setting here; change KEYHALT_MAC_KEYS", EXIT_CONFIG)
        with _setup_errors():
            stores = _stores(settings, create=False)
        try:
            yield mac_keys_of(stores, settings.mac_keys_path)
        finally:
            stores.close()

    def upkeep(self, **said: object) -> Upkeep:
        return Upkeep(_options(_settings(said)))

    def listen(self, host: str, port: int) -> socket.socket:
        from keyhalt.web.server import listen  # noqa: PLC0415 - only servers need it

        return listen(host, port)

    def contains(
        self, datasource_id: int, hierarchy: str, ancestor: int, node: int, **said: object
    ) -> bool:
        apps = load_apps(_settings(said))
        try:
            return any(app.contains(datasource_id, hierarchy, ancestor, node) for app in apps)
        finally:
            for app in apps:
                app.close()

    def load_sample(
        self,
        datasource_id: int,
        user_id: int,
        *,
        sizes: Mapping[str, int],
        progress: Callable[[int, int], None],
        **said: object,
    ) -> Sequence[Mapping[str, int]]:
        views: list[dict[str, int]] = []
        for app in load_apps(_settings(said)):
            try:
                more = app.load_sample(datasource_id, user_id, sizes=sizes, progress=progress)
            except ValueError as error:
                raise Failure(str(error), EXIT_USAGE) from None
            finally:
                app.close()
            views += [{} for _ in more[len(views) :]]
            for index, view in enumerate(more):
                views[index] |= view
        return views

    def serve(
        self,
        *,
        listener: socket.socket | None = None,
        on_listening: Callable[[], None] | None = None,
        **said: object,
    ) -> None:
        settings = _settings(said)
        try:
            check_transport(settings)
        except SettingsError as error:
            raise Failure(str(error), EXIT_CONFIG) from None
        with _setup_errors():
            engine = open_engine(_options(settings), upgrade=True)
        listeners = [listener or self._listener(settings.host, settings.port)]
        if settings.internal_port is not None:
            internal = self._listener(settings.internal_host, settings.internal_port)
            listeners.append(internal)
            port = internal.getsockname()[1]
            settings = settings.model_copy(update={"internal_port": port})
        _serve(settings, engine, listeners, on_listening or _announce(settings, listeners))

    def _listener(self, host: str, port: int) -> socket.socket:
        try:
            return self.listen(host, port)
        except OSError as error:
            where = f"{host}:{port}"
            raise Failure(f"cannot listen on {where}: {error.strerror}", EXIT_UNAVAILABLE) from None


def load_apps(settings: Settings) -> list[App]:
    """The apps behind the keys that the settings name. Raises Failure for an unknown one."""
    from keyhalt.client.operations import AppContext  # noqa: PLC0415

    context = AppContext(profile=load_profile(settings.profile), folder=settings.data)
    found = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    unknown = [name for name in settings.app_names if name not in found]
    if unknown:
        raise Failure(f"KEYHALT_APPS names {unknown[0]!r}, which is not installed", EXIT_CONFIG)
    return [found[name].load()(context) for name in settings.app_names]


def _settings(said: Mapping[str, object]) -> Settings:
    try:
        return load_settings(**said)
    except SettingsError as error:
        raise Failure(str(error), EXIT_CONFIG) from None


def _stores(settings: Settings, *, create: bool) -> Stores:
    try:
        database = database_of(settings)
    except SettingsError as error:
        raise Failure(str(error), EXIT_CONFIG) from None
    options = StoreOptions(
        folder=settings.data, database=database, lease_seconds=settings.lease_seconds
    )
    return stores_of(options, create=create)


def _options(settings: Settings) -> EngineOptions:
    try:
        return options_of(settings)
    except SettingsError as error:
        raise Failure(str(error), EXIT_CONFIG) from None


def application(settings: Settings, engine: Engine, apps: Sequence[App] | None = None) -> ASGIApp:
    """The web application of one process. `apps`: instead of those that the settings name."""
    from keyhalt.client.legacy import LegacyNotice  # noqa: PLC0415
    from keyhalt.telemetry.logs import configure  # noqa: PLC0415
    from keyhalt.web.app import WebParts, build  # noqa: PLC0415
    from keyhalt.web.forward_auth.assertions import Signer  # noqa: PLC0415

    configure(access_log=settings.access_log)
    apps = load_apps(settings) if apps is None else apps
    engine.trees.apps = apps

    given = settings.proxy_secret
    secret = None if given is None else given.get_secret_value().encode()

    def stop() -> None:
        for app in apps:
            app.close()
        engine.close()

    return build(
        WebParts(
            verifier=engine.verify,
            issue=engine.issue,
            delete_key=engine.delete_key,
            look_up=engine.look_up,
            sign_in=engine.sign_in,
            exchange=engine.exchange,
            people=engine,
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
            internal_port=settings.internal_port,
            proxy_secret_digest=None if secret is None else digest_of(secret),
        )
    )


def _serve(
    settings: Settings,
    engine: Engine,
    listeners: list[socket.socket],
    on_listening: Callable[[], None],
) -> None:
    import uvicorn  # noqa: PLC0415

    from keyhalt.web.server import Supervisor, server_config  # noqa: PLC0415

    for listener in listeners:
        listener.listen(2048)
        listener.set_inheritable(True)
    common: dict[str, Any] = {
        "certificate": str(settings.certificate) if settings.certificate else None,
        "private_key": str(settings.private_key) if settings.private_key else None,
    }
    signal.signal(signal.SIGTERM, _stopped)
    if settings.workers == 1:
        app = _draining(application(settings, engine), settings)
        server = uvicorn.Server(server_config(app, **common))
        on_listening()
        server.run(sockets=listeners)
        return
    engine.close()
    _tell_workers(settings)
    config = server_config("keyhalt.main:asgi", factory=True, workers=settings.workers, **common)
    on_listening()
    Supervisor(config, listeners, _bury(settings)).run()


def _draining(app: ASGIApp, settings: Settings) -> ASGIApp:
    from keyhalt.web.draining import Draining  # noqa: PLC0415

    return Draining(app, settings.drain_seconds)


def _tell_workers(settings: Settings) -> None:
    # A worker starts from its environment; what a command's options said goes there.
    for name in ("data", "insecure_http", "workers", "drain_seconds", "internal_port"):
        value = getattr(settings, name)
        if value is not None:
            os.environ[f"KEYHALT_{name.upper()}"] = str(value)
    os.environ[_SERVE_ID] = new_uuid()


def _bury(settings: Settings) -> Callable[[int], None]:
    """What the parent does for a worker that died: no change has to wait for its lease."""

    def bury(pid: int) -> None:
        stores = _stores(settings, create=False)
        # If it cannot be said, a change waits for the lease to end, once.
        with closing(stores), suppress(StoreUnavailableError):
            stores.bury(process_id(os.environ[_SERVE_ID], pid))

    return bury


def _stopped(_signal: int, _frame: object) -> NoReturn:
    # After uvicorn has stopped in order it raises the signal again; let what is open be closed.
    sys.exit(0)


def _announce(settings: Settings, listeners: Sequence[socket.socket]) -> Callable[[], None]:
    def announce() -> None:
        scheme = "https" if settings.certificate else "http"
        for listener, what in zip(listeners, ("", " for proxies"), strict=False):
            host, port = listener.getsockname()[:2]
            sys.stderr.write(f"Keyhalt listens{what} on {scheme}://{host}:{port}\n")
        if settings.insecure_http:
            sys.stderr.write(
                "KEYHALT_INSECURE_HTTP is set: keys and passwords travel readable for everybody"
                " on the way\n"
            )

    return announce


@contextmanager
def _setup_errors() -> Iterator[None]:
    try:
        yield
    except NotSetUpError as error:
        raise Failure(str(error), EXIT_CONFIG) from None
