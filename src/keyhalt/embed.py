"""The engine, put together: for the server, for the command line, and for a library user."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.administering import Administering
from keyhalt.client.credentials import key_in_query
from keyhalt.client.trees import Trees
from keyhalt.core.decisions import Here
from keyhalt.core.freshness import Memory, NeverFresh
from keyhalt.options import EngineOptions, StoreOptions, mac_keys_in, stores_of, where
from keyhalt.recording import Recording
from keyhalt.storage.audit import SqlAuditReader
from keyhalt.storage.groups import GROUP_FIELDS
from keyhalt.storage.keeping import SqlEventKeeping
from keyhalt.storage.keys import KEY_FIELDS
from keyhalt.storage.measures import SqlTotals
from keyhalt.storage.promise import SqlPromise
from keyhalt.storage.rights import SqlRights, judge
from keyhalt.storage.sessions import SqlPads, SqlSessions
from keyhalt.storage.sign_ins import SqlSignIns
from keyhalt.storage.throttle import SqlThrottle
from keyhalt.storage.tokens import SqlTokens
from keyhalt.storage.transactions import transaction
from keyhalt.storage.user_lists import USER_FIELDS
from keyhalt.storage.uses import SqlUses
from keyhalt.system.anchor_file import AnchorFile
from keyhalt.system.clock import SystemClock, boot_id
from keyhalt.system.mac_key_file import MacKeyFileStore
from keyhalt.system.mark_file import MarkFile
from keyhalt.system.randomness import SystemRandomness
from keyhalt.system.syslog_anchor import SyslogAnchors
from keyhalt.usecases.advise import Advise
from keyhalt.usecases.audit_promise import AuditPromise
from keyhalt.usecases.exchange import ExchangeToken
from keyhalt.usecases.find_policy import FindPolicy
from keyhalt.usecases.hand_over import HandOver
from keyhalt.usecases.issue import IssueKey
from keyhalt.usecases.keep_audit import KeepAudit
from keyhalt.usecases.keep_bits import keep_bits
from keyhalt.usecases.look_up import LookUp
from keyhalt.usecases.look_up_use import LookUpUse
from keyhalt.usecases.look_up_users import LookUpUsers
from keyhalt.usecases.making_keys import KeyMaker
from keyhalt.usecases.manage_mac_keys import ManageMacKeys
from keyhalt.usecases.measure import Measure, ThisProcess
from keyhalt.usecases.narrow import NarrowKey
from keyhalt.usecases.ports import NotSetUpError, UnfitStoreError
from keyhalt.usecases.read_audit import ReadAudit
from keyhalt.usecases.receipts import Told
from keyhalt.usecases.sessions import WebSessions
from keyhalt.usecases.set_up import SetUp
from keyhalt.usecases.sign_in import SignIn
from keyhalt.usecases.user_rules import UserRules
from keyhalt.usecases.verify import Verify
from keyhalt.usecases.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.freshness import Freshness
    from keyhalt.core.profiles import Profile
    from keyhalt.storage.recorder import BatchRecorder
    from keyhalt.storage.stores import Stores, Verifying
    from keyhalt.storage.use_recorder import UseRecorder
    from keyhalt.usecases.audit_chain import AnchorStore, AuditChain
    from keyhalt.usecases.rows import EnvironmentRow

__all__ = ["Engine", "EngineOptions", "StoreOptions", "open_engine", "stores_of"]


class Engine(Administering):
    """The verbs of one environment, each made when it is first asked for.

    `verify` belongs to one event loop; everything else may be called from any thread.
    """

    def __init__(
        self,
        stores: Stores,
        options: EngineOptions,
        environment: EnvironmentRow,
        watch: Watch,
    ) -> None:
        self.stores = stores
        self.options = options
        self.profile = options.profile
        self.environment = environment
        self.clock = SystemClock()
        self.randomness = SystemRandomness()
        self.watch = watch
        self.rights = SqlRights(stores.rights, watch)
        self.barrier = Told(
            stores.barrier(lambda: self.rights.longest_lease),
            lambda: self.recorder,
            self.clock,
            boot_id(),
        )
        self.trees = Trees()
        self.here = Here(
            environment=environment.name,
            product=environment.product,
            mac_keys=mac_keys_in(options, self.clock.monotonic),
            aliases=options.aliases,
            insecure_http=options.insecure_http,
            legacy_login=options.legacy_login,
        )
        self.recording = Recording(
            stores,
            self.rights,
            anchors=_anchors(options),
            mac_keys=self.here.mac_keys,
            cluster=environment.cluster,
            clock=self.clock,
        )
        self._closing: list[Callable[[], None]] = [self.recording.close]

    @property
    def recorder(self) -> BatchRecorder:
        return self.recording.recorder

    @property
    def use_recorder(self) -> UseRecorder:
        return self.recording.use_recorder

    @property
    def audit_chain(self) -> AuditChain:
        return self.recording.audit_chain

    @cached_property
    def verifying(self) -> Verifying:
        verifying = self.stores.verifying(self.watch)
        self._closing.append(verifying.close)
        self.recording.serve()
        return verifying

    @property
    def freshness(self) -> Freshness:
        return self.verifying.freshness if self.options.cache else NeverFresh()

    @cached_property
    def verify(self) -> Verify:
        reader = self.verifying.reader
        return Verify(
            reader=self.recording.timing.reader(reader) if self.options.timed else reader,
            memory=self._memory,
            freshness=self.freshness,
            here=self.here,
            catalogue=self.profile.catalogue,
            recorder=self.recorder,
            use=self.use_recorder,
            clock=self.clock,
            find_in_url=key_in_query,
        )

    @cached_property
    def _memory(self) -> Memory:
        witness, options = self.recording.witness, self.options
        memory = Memory(options.memory_entries, options.memory_bytes, witness.left)
        witness.watch(memory)
        return memory

    @cached_property
    def issue(self) -> IssueKey:
        return IssueKey(
            rights=self.rights,
            here=self.here,
            needs=self.profile.needs,
            barrier=self.barrier,
            covering=self.covering,
            maker=self.key_maker,
        )

    @cached_property
    def key_maker(self) -> KeyMaker:
        return KeyMaker(self.here, self.clock, self.randomness)

    @cached_property
    def narrow(self) -> NarrowKey:
        return NarrowKey(
            rights=self.rights,
            needs=self.profile.needs,
            rules=UserRules(self.profile.needs, self.covering),
            uses=SqlUses(self.stores.use),
            maker=self.key_maker,
            clock=self.clock,
        )

    @cached_property
    def sign_in(self) -> SignIn:
        return SignIn(
            rights=self.rights,
            tokens=SqlTokens(self.stores.signins),
            throttle=SqlThrottle(self.stores.use),
            passwords=self.passwords,
            barrier=self.barrier,
            recorder=self.recorder,
            here=self.here,
            clock=self.clock,
            randomness=self.randomness,
            token_lifetime=self.options.token_lifetime,
        )

    @cached_property
    def exchange(self) -> ExchangeToken:
        return ExchangeToken(
            tokens=SqlTokens(self.stores.signins),
            recorder=self.recorder,
            here=self.here,
            clock=self.clock,
            randomness=self.randomness,
        )

    @cached_property
    def sessions(self) -> WebSessions:
        return WebSessions(
            admit=self.sign_in.admit,
            reader=self.verifying.reader,
            store=SqlSessions(self.stores.signins),
            rights=self.rights,
            recorder=self.recorder,
            here=self.here,
            clock=self.clock,
            randomness=self.randomness,
        )

    @cached_property
    def hand_over(self) -> HandOver:
        return HandOver(
            pads=SqlPads(self.stores.signins), clock=self.clock, randomness=self.randomness
        )

    @cached_property
    def find_policy(self) -> FindPolicy:
        return FindPolicy(rights=self.rights, freshness=self.freshness, profile=self.profile)

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
    def read_audit(self) -> ReadAudit:
        audit = SqlAuditReader(self.stores.rights, self.stores.use)
        return ReadAudit(audit=audit, recorder=self.recorder, clock=self.clock)

    @cached_property
    def advise(self) -> Advise:
        return Advise(
            rights=self.rights,
            uses=SqlUses(self.stores.use),
            sign_ins=SqlSignIns(self.stores.signins),
            catalogue=self.profile.catalogue,
            clock=self.clock,
        )

    @cached_property
    def look_up_use(self) -> LookUpUse:
        return LookUpUse(uses=SqlUses(self.stores.use), clock=self.clock)

    @cached_property
    def look_up_users(self) -> LookUpUsers:
        return LookUpUsers(
            rights=self.rights,
            catalogue=self.profile.catalogue,
            user_fields=USER_FIELDS,
            group_fields=GROUP_FIELDS,
            sign_ins=SqlSignIns(self.stores.signins),
            clock=self.clock,
        )

    @cached_property
    def keep_audit(self) -> KeepAudit:
        return KeepAudit(
            rights=self.rights,
            events=SqlEventKeeping(self.stores.use),
            mac_keys=self.here.mac_keys,
            cluster=self.environment.cluster,
            clock=self.clock,
        )

    @cached_property
    def audit_promise(self) -> AuditPromise:
        return AuditPromise(SqlPromise(self.stores.rights, self.stores.use))

    @cached_property
    def measure(self) -> Measure:
        return Measure(
            reader=SqlTotals(self.stores.rights, self.stores.use),
            process=lambda: ThisProcess(
                remembered_keys=self.verify.remembered_keys,
                lease_seconds=self.verifying.lease_seconds(),
                use_unwritten_seconds=self.use_recorder.unwritten_seconds(),
            ),
        )

    def ready(self) -> bool:
        """Whether the store can be asked, now."""
        return self.verifying.ready()

    def close(self) -> None:
        """Write what is queued and let go of the files."""
        while self._closing:
            self._closing.pop()()
        self.stores.close()


def open_engine(options: EngineOptions, *, upgrade: bool = False) -> Engine:
    """Open an environment that was set up; with `upgrade`, bring its schema to this version.

    Raises NotSetUpError, MacKeysError, StoreClosedError or StoreUnavailableError; with `upgrade`
    also UnfitStoreError, where the promise would not hold.
    """
    stores = stores_of(options, create=False)
    try:
        if upgrade:
            if faults := stores.check():
                raise UnfitStoreError("; ".join(faults))  # noqa: TRY301
            stores.upgrade()
        elif not stores.current():
            raise NotSetUpError(  # noqa: TRY301
                f"{where(options)} has the schema of another version; run 'keyhalt db upgrade'"
            )
        environment = _environment_of(stores, options)
        watch = Watch(MarkFile(options.mark_path))
        # With its MAC keys: beside keys that are not there, no mark is made.
        engine = Engine(stores, options, environment, watch)
        with transaction(stores.rights, write=False) as connection:
            judge(connection, watch)
        keep_bits(engine.rights, options.profile.catalogue)
        return engine  # noqa: TRY300
    except BaseException:
        stores.close()
        raise


def _anchors(options: EngineOptions) -> AnchorStore:
    file = AnchorFile(options.anchor_path or options.mark_path.with_suffix(".anchors"))
    return SyslogAnchors(file, options.anchor_syslog) if options.anchor_syslog else file


def _environment_of(stores: Stores, options: EngineOptions) -> EnvironmentRow:
    with SqlRights(stores.rights).look() as tx:
        environment = tx.datasources.environment()
    if environment is None:
        raise NotSetUpError(f"{where(options)} holds no environment yet; run 'keyhalt init'")
    if environment.profile != options.profile.name:
        raise NotSetUpError(
            f"this environment was set up with the profile {environment.profile!r},"
            f" not {options.profile.name!r}: say that one with KEYHALT_PROFILE, or set up another"
            " environment for this one, in a folder of its own (KEYHALT_DATA), with 'keyhalt init'"
        )
    return environment


def set_up_of(stores: Stores, profile: Profile) -> SetUp:
    rights = SqlRights(stores.rights)
    barrier = stores.barrier(lambda: rights.longest_lease)
    return SetUp(rights=rights, profile=profile, barrier=barrier, clock=SystemClock())


def mac_keys_of(stores: Stores, path: Path) -> ManageMacKeys:
    rights = SqlRights(stores.rights)
    return ManageMacKeys(store=MacKeyFileStore(path), rights=rights, clock=SystemClock())
