"""The composition root of the server and of the command line. Apps are found by entry point."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, NoReturn

from keyhalt.cli.app import run
from keyhalt.cli.context import EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure
from keyhalt.config import (
    Settings,
    SettingsError,
    check_transport,
    load_profile,
)
from keyhalt.core.refusals import Refused
from keyhalt.embed import (
    Engine,
    mac_keys_of,
    set_up_of,
    stores_of,
)
from keyhalt.environments import Environment, Installation, load_environment, load_installation
from keyhalt.opening import open_engines, open_environment, store_options_of
from keyhalt.storage.stores import NotSetUpError
from keyhalt.system.randomness import new_request_id, new_uuid, process_id
from keyhalt.usecases.ports import EnvironmentRow, StoreUnavailableError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from keyhalt.client.middleware import ASGIApp
    from keyhalt.client.operations import App
    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Operator
    from keyhalt.storage.stores import Stores
    from keyhalt.usecases.manage_mac_keys import ManageMacKeys

VERSION = version("keyhalt")
BUILD_DATE = "2026-11-24T00:00:00Z"
PRODUCT = "keyhalt"
ENTRY_POINTS = "keyhalt.apps"
_SERVE_ID = "_KEYHALT_SERVE_ID"


def main() -> NoReturn:
    sys.exit(run(MainTools()))


def asgi() -> ASGIApp:
    """The application of one worker process, from the settings of its environment."""
    installation = load_installation("", {})
    process = process_id(os.environ.get(_SERVE_ID, ""), os.getpid())
    return application_of(installation, open_engines(installation, process=process))


@dataclass(frozen=True, slots=True)
class MainTools:
    """What the commands borrow (cli/context.py). Each call reads the settings anew.

    `environment`: the name of the one that a command is about; empty for the only one.
    """

    environment: str = ""

    def of(self, environment: str) -> MainTools:
        return MainTools(environment)

    @contextmanager
    def engine(self, **said: object) -> Iterator[Engine]:
        with _setup_errors():
            engine = open_environment(load_environment(self.environment, said))
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
        with _setup_errors():
            there = load_environment(environment, said)
            settings = there.settings
            profile = load_profile(settings.profile)
            stores = _stores(settings, create=True)
        try:
            stores.upgrade()
            product = product or there.product or PRODUCT
            new = EnvironmentRow(environment, product, profile.name, new_uuid())
            made = set_up_of(stores, profile).environment(acting, new, origin)
            if isinstance(made, Refused):
                raise Failure(made.detail, EXIT_CONFIG)
            if settings.mac_keys is None:
                mac_keys_of(stores, settings.mac_keys_path).first()
            return made
        finally:
            stores.close()

    @contextmanager
    def mac_keys(self, **said: object) -> Iterator[ManageMacKeys]:
        """Without opening the engine, which needs the keys that may be lost."""
        settings = self._environment(said).settings
        if settings.mac_keys is not None:
            raise Failure("the MAC keys are a setting here; change KEYHALT_MAC_KEYS", EXIT_CONFIG)
        with _setup_errors():
            stores = _stores(settings, create=False)
        try:
            yield mac_keys_of(stores, settings.mac_keys_path)
        finally:
            stores.close()

    def upgrade(self, **said: object) -> None:
        with _setup_errors():
            stores = _stores(self._environment(said).settings, create=False)
        try:
            stores.upgrade()
        finally:
            stores.close()

    def schema_is_current(self, **said: object) -> bool:
        with _setup_errors():
            stores = _stores(self._environment(said).settings, create=False)
        try:
            return stores.current()
        finally:
            stores.close()

    def listen(self, host: str, port: int) -> socket.socket:
        from keyhalt.web.server import listen  # noqa: PLC0415 - only servers need it

        return listen(host, port)

    def contains(
        self, datasource_id: int, hierarchy: str, ancestor: int, node: int, **said: object
    ) -> bool:
        apps = load_apps(self._environment(said).settings)
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
        for app in load_apps(self._environment(said).settings):
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
        with _setup_errors():
            installation = load_installation(self.environment, said)
            settings = installation.settings
            check_transport(settings)
            engines = open_engines(installation, upgrade=True)
        listener = listener or self._listener(settings)
        _serve(installation, engines, listener, on_listening or _announce(settings, listener))

    def serve_each(
        self, places: Mapping[socket.socket, Path], on_listening: Callable[[], None]
    ) -> None:
        """A demo: the environment of each folder at a listener of its own, over plain HTTP."""
        from keyhalt.web.environments import by_port  # noqa: PLC0415

        said = [{"data": folder, "insecure_http": True} for folder in places.values()]
        with _setup_errors():
            found = tuple(load_environment("", each) for each in said)
            installation = Installation(settings=found[0].settings, environments=found)
            engines = open_engines(installation)
        apps = {
            listener.getsockname()[1]: application(each.settings, engine)
            for listener, each, engine in zip(places, found, engines, strict=True)
        }
        app = _draining(by_port(apps), installation.settings)
        _run(app, installation, list(places), on_listening)

    def _environment(self, said: Mapping[str, object]) -> Environment:
        with _setup_errors():
            return load_environment(self.environment, said)

    def _listener(self, settings: Settings) -> socket.socket:
        try:
            return self.listen(settings.host, settings.port)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
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


def _stores(settings: Settings, *, create: bool) -> Stores:
    return stores_of(store_options_of(settings), create=create)


def application(settings: Settings, engine: Engine, apps: Sequence[App] | None = None) -> ASGIApp:
    """The web application of one process. `apps`: instead of those that the settings name."""
    from keyhalt.client.legacy import LegacyNotice  # noqa: PLC0415
    from keyhalt.telemetry.logs import configure  # noqa: PLC0415
    from keyhalt.web.app import People, WebParts, build  # noqa: PLC0415

    configure(access_log=settings.access_log)
    apps = load_apps(settings) if apps is None else apps
    engine.trees.apps = apps

    def stop() -> None:
        for app in apps:
            app.close()
        engine.close()

    return build(
        WebParts(
            realm=engine.environment.name,
            verifier=engine.verify,
            issue=engine.issue,
            delete_key=engine.delete_key,
            look_up=engine.look_up,
            sign_in=engine.sign_in,
            people=People(
                engine.manage_users,
                engine.manage_roles,
                engine.manage_groups,
                engine.look_up_users,
            ),
            profile=engine.profile,
            trees=engine.trees,
            apps=apps,
            checks={"rights": engine.ready},
            new_request_id=new_request_id,
            legacy=LegacyNotice(sunset=settings.sunset),
            insecure_http=settings.insecure_http,
            build_date=BUILD_DATE,
            version=VERSION,
            passwords_at_once=engine.options.passwords_at_once,
            on_stop=stop,
        )
    )


def application_of(installation: Installation, engines: Sequence[Engine]) -> ASGIApp:
    """The web application of one process, for all environments that it serves."""
    from keyhalt.web.environments import Served, by_host  # noqa: PLC0415

    served = [
        Served(each.name, each.hosts, application(each.settings, engine), engine.ready)
        for each, engine in zip(installation.environments, engines, strict=True)
    ]
    app = by_host(served, new_request_id) if served[0].hosts else served[0].app
    return _draining(app, installation.settings)


def _serve(
    installation: Installation,
    engines: Sequence[Engine],
    listener: socket.socket,
    on_listening: Callable[[], None],
) -> None:
    if installation.settings.workers == 1:
        _run(application_of(installation, engines), installation, [listener], on_listening)
        return
    for engine in engines:
        engine.close()
    _tell_workers(installation)
    _run("keyhalt.main:asgi", installation, [listener], on_listening)


def _run(
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
    signal.signal(signal.SIGTERM, _stopped)
    config = server_config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers if isinstance(app, str) else 1,
        trusted_proxies=settings.trusted_proxies,
        certificate=str(settings.certificate) if settings.certificate else None,
        private_key=str(settings.private_key) if settings.private_key else None,
    )
    on_listening()
    if isinstance(app, str):
        Supervisor(config, listeners, _bury(installation)).run()
    else:
        uvicorn.Server(config).run(sockets=listeners)


def _draining(app: ASGIApp, settings: Settings) -> ASGIApp:
    from keyhalt.web.draining import Draining  # noqa: PLC0415

    return Draining(app, settings.drain_seconds)


def _tell_workers(installation: Installation) -> None:
    # A worker starts from its environment; what a command's options said goes there.
    for name in ("data", "insecure_http", "workers", "drain_seconds"):
        os.environ[f"KEYHALT_{name.upper()}"] = str(getattr(installation.settings, name))
    if len(installation.environments) == 1:
        os.environ["KEYHALT_ENVIRONMENT"] = installation.environments[0].name
    os.environ[_SERVE_ID] = new_uuid()


def _bury(installation: Installation) -> Callable[[int], None]:
    """What the parent does for a worker that died: no change has to wait for its lease."""

    def bury(pid: int) -> None:
        for each in installation.environments:
            stores = _stores(each.settings, create=False)
            # If it cannot be said, a change waits for the lease to end, once.
            with closing(stores), suppress(StoreUnavailableError):
                stores.bury(process_id(os.environ[_SERVE_ID], pid))

    return bury


def _stopped(_signal: int, _frame: object) -> NoReturn:
    # After uvicorn has stopped in order it raises the signal again; let what is open be closed.
    sys.exit(0)


def _announce(settings: Settings, listener: socket.socket) -> Callable[[], None]:
    def announce() -> None:
        scheme = "https" if settings.certificate else "http"
        host, port = listener.getsockname()[:2]
        sys.stderr.write(f"Keyhalt listens on {scheme}://{host}:{port}\n")
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
    except (NotSetUpError, SettingsError) as error:
        raise Failure(str(error), EXIT_CONFIG) from None
