"""The engine, put together: for the server, for the command line, and for a library user."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.client.credentials import key_in_query
from keyhalt.client.trees import Trees
from keyhalt.core.decisions import Here
from keyhalt.core.freshness import Memory
from keyhalt.storage import migrate, sqlite
from keyhalt.storage.audit import SqlAuditReader
from keyhalt.storage.groups import GROUP_FIELDS
from keyhalt.storage.keys import KEY_FIELDS
from keyhalt.storage.reader import SqliteReader
from keyhalt.storage.recorder import BatchRecorder
from keyhalt.storage.rights import Guarded, SqlRights
from keyhalt.storage.throttle import SqlThrottle
from keyhalt.storage.tokens import SqlTokens
from keyhalt.storage.user_lists import USER_FIELDS
from keyhalt.system.clock import SystemClock
from keyhalt.system.mac_key_file import MacKeyFile, MacKeyFileStore
from keyhalt.system.passwords import Argon2Passwords
from keyhalt.system.randomness import SystemRandomness
from keyhalt.usecases.covering import Covering
from keyhalt.usecases.issue import IssueKey
from keyhalt.usecases.look_up import LookUp
from keyhalt.usecases.look_up_users import LookUpUsers
from keyhalt.usecases.manage_groups import ManageGroups
from keyhalt.usecases.manage_mac_keys import ManageMacKeys
from keyhalt.usecases.manage_roles import ManageRoles
from keyhalt.usecases.manage_users import ManageUsers
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.usecases.revoke import DeleteKey
from keyhalt.usecases.set_up import SetUp
from keyhalt.usecases.sign_in import SignIn
from keyhalt.usecases.user_rules import UserRules
from keyhalt.usecases.verify import Verify

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy

    from keyhalt.core.profiles import Profile
    from keyhalt.core.secrets import MacKeys
    from keyhalt.usecases.ports import EnvironmentRow

MEMORY_ENTRIES = 200_000
TOKEN_LIFETIME = timedelta(hours=24)


class NotSetUpError(Exception):
    """The folder holds no environment yet; the text says what to run."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine is built from. `mac_keys` set: keys from a setting instead of the file."""

    folder: Path
    profile: Profile
    mac_keys_path: Path
    mac_keys: MacKeys | None = field(default=None, repr=False)
    aliases: frozenset[str] = frozenset()
    insecure_http: bool = False
    legacy_login: bool = True
    token_lifetime: timedelta = TOKEN_LIFETIME
    memory_entries: int = MEMORY_ENTRIES


class Stores:
    """The three files in one folder, brought to this version's schema when opened."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        paths = {name: folder / f"{name}.db" for name in migrate.STORES}
        for path in paths.values():
            if create:
                sqlite.create_file(path)
            elif not path.exists():
                raise NotSetUpError(
                    f"there is no {path}; run 'keyhalt init' or 'keyhalt db upgrade'"
                )
        self.rights_path, self.signins_path = paths["rights"], paths["signins"]
        self.rights, self.use, self.signins = (sqlite.open_engine(p) for p in paths.values())

    def upgrade(self) -> None:
        for name in migrate.STORES:
            migrate.upgrade(name, self.engine(name))

    def current(self) -> bool:
        return all(migrate.is_current(name, self.engine(name)) for name in migrate.STORES)

    def engine(self, name: str) -> sqlalchemy.Engine:
        return {"rights": self.rights, "use": self.use, "signins": self.signins}[name]

    def close(self) -> None:
        for engine in (self.rights, self.use, self.signins):
            engine.dispose()


class Engine:
    """The verbs of one environment, each made when it is first asked for.

    `verify` belongs to one event loop; everything else may be called from any thread.
    """

    def __init__(self, stores: Stores, options: EngineOptions, environment: EnvironmentRow) -> None:
        self.stores = stores
        self.options = options
        self.profile = options.profile
        self.environment = environment
        self.clock = SystemClock()
        self.randomness = SystemRandomness()
        self.rights = SqlRights(stores.rights)
        self.barrier = Guarded()
        self.trees = Trees()
        self.here = Here(
            environment=environment.name,
            product=environment.product,
            mac_keys=_mac_keys(options, self.clock.monotonic),
            aliases=options.aliases,
            insecure_http=options.insecure_http,
            legacy_login=options.legacy_login,
        )
        self._closing: list[Callable[[], None]] = []

    @cached_property
    def passwords(self) -> Argon2Passwords:
        return Argon2Passwords()

    @cached_property
    def recorder(self) -> BatchRecorder:
        recorder = BatchRecorder(self.stores.use)
        self._closing.append(recorder.close)
        return recorder

    @cached_property
    def reader(self) -> SqliteReader:
        reader = SqliteReader(self.stores.rights_path, self.stores.signins_path)
        self._closing.append(reader.close)
        return reader

    @cached_property
    def verify(self) -> Verify:
        return Verify(
            reader=self.reader,
            memory=Memory(self.options.memory_entries),
            here=self.here,
            recorder=self.recorder,
            clock=self.clock,
            find_in_url=key_in_query,
        )

    @cached_property
    def issue(self) -> IssueKey:
        return IssueKey(
            rights=self.rights,
            here=self.here,
            needs=self.profile.needs,
            covering=self.covering,
            clock=self.clock,
            randomness=self.randomness,
        )

    @cached_property
    def delete_key(self) -> DeleteKey:
        return DeleteKey(
            rights=self.rights, needs=self.profile.needs, barrier=self.barrier, clock=self.clock
        )

    @cached_property
    def sign_in(self) -> SignIn:
        return SignIn(
            rights=self.rights,
            tokens=SqlTokens(self.stores.signins),
            throttle=SqlThrottle(self.stores.use),
            passwords=self.passwords,
            recorder=self.recorder,
            here=self.here,
            clock=self.clock,
            randomness=self.randomness,
            token_lifetime=self.options.token_lifetime,
        )

    @cached_property
    def set_up(self) -> SetUp:
        return set_up_of(self.stores, self.profile)

    @cached_property
    def covering(self) -> Covering:
        return Covering(self.trees, self.profile.catalogue)

    @cached_property
    def manage_users(self) -> ManageUsers:
        return ManageUsers(
            rights=self.rights,
            passwords=self.passwords,
            barrier=self.barrier,
            clock=self.clock,
            rules=UserRules(self.profile.needs, self.covering),
        )

    @cached_property
    def manage_roles(self) -> ManageRoles:
        return ManageRoles(
            rights=self.rights,
            needs=self.profile.needs,
            covering=self.covering,
            barrier=self.barrier,
            clock=self.clock,
        )

    @cached_property
    def manage_groups(self) -> ManageGroups:
        return ManageGroups(rights=self.rights, needs=self.profile.needs, clock=self.clock)

    @cached_property
    def manage_mac_keys(self) -> ManageMacKeys:
        return mac_keys_of(self.stores, self.options.mac_keys_path)

    @cached_property
    def look_up(self) -> LookUp:
        return LookUp(
            rights=self.rights,
            audit=SqlAuditReader(self.stores.rights, self.stores.use),
            key_fields=KEY_FIELDS,
            clock=self.clock,
        )

    @cached_property
    def look_up_users(self) -> LookUpUsers:
        return LookUpUsers(
            rights=self.rights,
            catalogue=self.profile.catalogue,
            user_fields=USER_FIELDS,
            group_fields=GROUP_FIELDS,
            clock=self.clock,
        )

    def ready(self) -> bool:
        """Whether the store can be asked, now."""
        try:
            self.reader.tag()
        except StoreUnavailableError:
            return False
        return True

    def close(self) -> None:
        """Write what is queued and let go of the files."""
        while self._closing:
            self._closing.pop()()
        self.stores.close()


def open_engine(options: EngineOptions, *, upgrade: bool = False) -> Engine:
    """Open an environment that was set up; with `upgrade`, bring its schema to this version.

    Raises NotSetUpError, MacKeysError or StoreUnavailableError.
    """
    stores = Stores(options.folder, create=False)
    try:
        if upgrade:
            stores.upgrade()
        elif not stores.current():
            raise NotSetUpError(  # noqa: TRY301
                f"{options.folder} has the schema of another version; run 'keyhalt db upgrade'"
            )
        return Engine(stores, options, _environment_of(stores, options))
    except BaseException:
        stores.close()
        raise


def _environment_of(stores: Stores, options: EngineOptions) -> EnvironmentRow:
    with SqlRights(stores.rights).look() as tx:
        environment = tx.datasources.environment()
    if environment is None:
        raise NotSetUpError(f"{options.folder} holds no environment yet; run 'keyhalt init'")
    if environment.profile != options.profile.name:
        raise NotSetUpError(
            f"this environment was set up with the profile {environment.profile!r},"
            f" not {options.profile.name!r}"
        )
    return environment


def set_up_of(stores: Stores, profile: Profile) -> SetUp:
    rights = SqlRights(stores.rights)
    return SetUp(rights=rights, profile=profile, barrier=Guarded(), clock=SystemClock())


def mac_keys_of(stores: Stores, path: Path) -> ManageMacKeys:
    rights = SqlRights(stores.rights)
    return ManageMacKeys(store=MacKeyFileStore(path), rights=rights, clock=SystemClock())


def _mac_keys(options: EngineOptions, monotonic: Callable[[], float]) -> Callable[[], MacKeys]:
    fixed = options.mac_keys
    if fixed is not None:
        return lambda: fixed
    return MacKeyFile(options.mac_keys_path, monotonic).keys
