"""The composition root of the server and of the command line."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.cli.context import EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure
from keyhalt.client.checking import AppError
from keyhalt.config import (
    SettingsError,
    check_transport,
    load_profile,
)
from keyhalt.core.marks import Mark
from keyhalt.core.refusals import Refused
from keyhalt.embed import (
    Engine,
    mac_keys_of,
    set_up_of,
)
from keyhalt.environments import Environment, Installation, load_environment, load_installation
from keyhalt.opening import open_engines, open_environment, open_stores, options_of
from keyhalt.running import announce, application, end_in_order, load_apps, run_server, serve
from keyhalt.system.mark_file import MarkFile
from keyhalt.system.randomness import new_uuid
from keyhalt.upkeep import Upkeep
from keyhalt.usecases.ports import NotSetUpError
from keyhalt.usecases.rows import EnvironmentRow

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Operator
    from keyhalt.proving.runs import Proof
    from keyhalt.usecases.manage_mac_keys import ManageMacKeys

PRODUCT = "keyhalt"


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
            stores = open_stores(settings, create=True)
        try:
            stores.upgrade()
            product = product or there.product or PRODUCT
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
        settings = self._environment(said).settings
        if settings.mac_keys is not None:
            raise Failure("the MAC keys are a setting here; change KEYHALT_MAC_KEYS", EXIT_CONFIG)
        with _setup_errors():
            stores = open_stores(settings, create=False)
        try:
            yield mac_keys_of(stores, settings.mac_keys_path)
        finally:
            stores.close()

    def upkeep(self, **said: object) -> Upkeep:
        with _setup_errors():
            return Upkeep(options_of(load_environment(self.environment, said).settings))

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

    def missing(
        self, datasource_id: int, hierarchy: str, ids: Sequence[int], **said: object
    ) -> Sequence[int] | None:
        try:
            apps = load_apps(self._environment(said).settings)
        except AppError:
            return None
        known: set[int] = set()
        for app in apps:
            known |= {node.id for node in app.describe(datasource_id, hierarchy, ids)}
            app.close()
        return [each for each in ids if each not in known] if apps else None

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
            if not hasattr(app, "load_sample"):
                app.close()
                continue
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

    def serve(self, **said: object) -> None:
        end_in_order()
        with _setup_errors():
            installation = load_installation(self.environment, said)
            for each in installation.environments:
                check_transport(each.settings)
            engines = open_engines(installation, upgrade=True)
        settings = installation.settings
        with ExitStack() as opened:
            for engine in engines:
                opened.callback(engine.close)
            public = opened.enter_context(self._listener(settings.host, settings.port))
            installation, internal = self._internal(installation)
            for listener in internal:
                opened.enter_context(listener)
            listeners = [public, *internal]
            serve(installation, engines, listeners, announce(settings, listeners))

    def _internal(self, installation: Installation) -> tuple[Installation, list[socket.socket]]:
        """The listeners for proxies, one for each environment that has one, at ports now known."""
        listeners, environments = [], []
        for each in installation.environments:
            settings = each.settings
            if settings.internal_port is not None:
                listener = self._listener(settings.internal_host, settings.internal_port)
                listeners.append(listener)
                port = listener.getsockname()[1]
                settings = settings.model_copy(update={"internal_port": port})
            environments.append(replace(each, settings=settings))
        whole = installation.settings
        if not environments[0].hosts:
            whole = environments[0].settings
        return Installation(settings=whole, environments=tuple(environments)), listeners

    def serve_each(
        self, places: Mapping[socket.socket, Path], on_listening: Callable[[], None]
    ) -> None:
        """A demo: the environment of each folder at a listener of its own, over plain HTTP."""
        from keyhalt.web.environments import by_port  # noqa: PLC0415

        said = [{"data": folder, "insecure_http": True} for folder in places.values()]
        end_in_order()
        with _setup_errors():
            found = tuple(load_environment("", each) for each in said)
            installation = Installation(settings=found[0].settings, environments=found)
            engines = open_engines(installation)
        with ExitStack() as opened:
            for engine in engines:
                opened.callback(engine.close)
            apps = {
                listener.getsockname()[1]: application(each.settings, engine)
                for listener, each, engine in zip(places, found, engines, strict=True)
            }
            run_server(by_port(apps), installation, list(places), on_listening)

    def _environment(self, said: Mapping[str, object]) -> Environment:
        with _setup_errors():
            return load_environment(self.environment, said)

    def _listener(self, host: str, port: int) -> socket.socket:
        try:
            return self.listen(host, port)
        except OSError as error:
            where = f"{host}:{port}"
            raise Failure(f"cannot listen on {where}: {error.strerror}", EXIT_UNAVAILABLE) from None


@contextmanager
def _setup_errors() -> Iterator[None]:
    try:
        yield
    except (NotSetUpError, SettingsError) as error:
        raise Failure(str(error), EXIT_CONFIG) from None
