"""The composition root of the server and of the command line. Apps are found by entry point."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any, NoReturn

from keyhalt.cli.app import run
from keyhalt.cli.context import EXIT_CONFIG, EXIT_UNAVAILABLE, Failure
from keyhalt.config import Settings, SettingsError, check_transport, load_profile, load_settings
from keyhalt.core.refusals import Refused
from keyhalt.embed import (
    Engine,
    EngineOptions,
    NotSetUpError,
    Stores,
    mac_keys_of,
    open_engine,
    set_up_of,
)
from keyhalt.system.mac_key_file import mac_keys_from_text
from keyhalt.system.randomness import new_request_id, new_uuid
from keyhalt.usecases.ports import EnvironmentRow

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from keyhalt.client.middleware import ASGIApp
    from keyhalt.client.operations import App
    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Operator
    from keyhalt.usecases.manage_mac_keys import ManageMacKeys

VERSION = version("keyhalt")
BUILD_DATE = "2026-11-24T00:00:00Z"
ENTRY_POINTS = "keyhalt.apps"


def main() -> NoReturn:
    sys.exit(run(MainTools()))


def asgi() -> ASGIApp:
    """The application of one worker process, from the settings of its environment."""
    settings = load_settings()
    engine = open_engine(_options(settings))
    return application(settings, engine)


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
        stores = Stores(settings.data, create=True)
        try:
            stores.upgrade()
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
        settings = _settings(said)
        if settings.mac_keys is not None:
            raise Failure("the MAC keys are a setting here; change KEYHALT_MAC_KEYS", EXIT_CONFIG)
        with _setup_errors():
            stores = Stores(settings.data, create=False)
        try:
            yield mac_keys_of(stores, settings.mac_keys_path)
        finally:
            stores.close()

    def upgrade(self, **said: object) -> None:
        with _setup_errors():
            stores = Stores(_settings(said).data, create=False)
        try:
            stores.upgrade()
        finally:
            stores.close()

    def schema_is_current(self, **said: object) -> bool:
        with _setup_errors():
            stores = Stores(_settings(said).data, create=False)
        try:
            return stores.current()
        finally:
            stores.close()

    def listen(self, host: str, port: int) -> socket.socket:
        from keyhalt.web.server import listen  # noqa: PLC0415 - only servers need it

        return listen(host, port)

    def load_sample(self, datasource_id: int, user_id: int, **said: object) -> Mapping[str, int]:
        settings = _settings(said)
        roots: dict[str, int] = {}
        for app in load_apps(settings):
            roots |= app.load_sample(datasource_id, user_id)
            app.close()
        return roots

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
        listener = listener or self._listener(settings)
        _serve(settings, engine, listener, on_listening or _announce(settings, listener))

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


def _settings(said: Mapping[str, object]) -> Settings:
    try:
        return load_settings(**said)
    except SettingsError as error:
        raise Failure(str(error), EXIT_CONFIG) from None


def _options(settings: Settings) -> EngineOptions:
    text = settings.mac_keys
    return EngineOptions(
        folder=settings.data,
        profile=load_profile(settings.profile),
        mac_keys_path=settings.mac_keys_path,
        mac_keys=mac_keys_from_text(text.get_secret_value()) if text else None,
        aliases=settings.alias_names,
        insecure_http=settings.insecure_http,
        legacy_login=settings.legacy_login,
        token_lifetime=settings.token_lifetime,
        memory_entries=settings.memory_entries,
    )


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
            on_stop=stop,
        )
    )


def _serve(
    settings: Settings,
    engine: Engine,
    listener: socket.socket,
    on_listening: Callable[[], None],
) -> None:
    import uvicorn  # noqa: PLC0415
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415

    from keyhalt.web.server import server_config  # noqa: PLC0415

    listener.listen(2048)
    listener.set_inheritable(True)
    common: dict[str, Any] = {
        "trusted_proxies": settings.trusted_proxies,
        "certificate": str(settings.certificate) if settings.certificate else None,
        "private_key": str(settings.private_key) if settings.private_key else None,
    }
    signal.signal(signal.SIGTERM, _stopped)
    if settings.workers == 1:
        server = uvicorn.Server(server_config(application(settings, engine), **common))
        on_listening()
        server.run(sockets=[listener])
        return
    engine.close()
    _tell_workers(settings)
    config = server_config("keyhalt.main:asgi", factory=True, workers=settings.workers, **common)
    on_listening()
    Multiprocess(config, sockets=[listener]).run()


def _tell_workers(settings: Settings) -> None:
    # A worker starts from its environment; what a command's options said goes there.
    for name in ("data", "insecure_http", "workers"):
        os.environ[f"KEYHALT_{name.upper()}"] = str(getattr(settings, name))


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
    except NotSetUpError as error:
        raise Failure(str(error), EXIT_CONFIG) from None
