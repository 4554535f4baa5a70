"""What the commands share: the engine they talk to, who they act as, how they end."""

from __future__ import annotations

import getpass
import os
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

import click

from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Denied, Here
from keyhalt.core.principals import Operator
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.advise import Advise
    from keyhalt.usecases.audit_chain import AuditChain
    from keyhalt.usecases.audit_promise import AuditPromise
    from keyhalt.usecases.freeze import FreezeKeys
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.keep_audit import KeepAudit
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.look_up_use import LookUpUse
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_groups import ManageGroups
    from keyhalt.usecases.manage_mac_keys import ManageMacKeys
    from keyhalt.usecases.manage_policies import ManagePolicies
    from keyhalt.usecases.manage_roles import ManageRoles
    from keyhalt.usecases.manage_users import ManageUsers
    from keyhalt.usecases.narrow import NarrowKey
    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.read_audit import ReadAudit
    from keyhalt.usecases.reopen import Reopen
    from keyhalt.usecases.reset_password import ResetPassword
    from keyhalt.usecases.revoke import DeleteKey
    from keyhalt.usecases.roll_out import RollOut
    from keyhalt.usecases.rows import Copied, DatasourceRow, EnvironmentRow
    from keyhalt.usecases.set_up import SetUp
    from keyhalt.usecases.verify import Verify

# docs/commands.md has the list; a test holds the two together.
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_DENIED = 3
EXIT_NOT_FOUND = 5
EXIT_CONFLICT = 6
EXIT_UNAVAILABLE = 69
EXIT_CONFIG = 78


class Verbs(Protocol):
    """The engine as the command line uses it."""

    profile: Profile
    environment: EnvironmentRow
    here: Here
    clock: Clock

    @property
    def verify(self) -> Verify: ...
    @property
    def issue(self) -> IssueKey: ...
    @property
    def delete_key(self) -> DeleteKey: ...
    @property
    def freeze_keys(self) -> FreezeKeys: ...
    @property
    def look_up(self) -> LookUp: ...
    @property
    def look_up_use(self) -> LookUpUse: ...
    @property
    def look_up_users(self) -> LookUpUsers: ...
    @property
    def advise(self) -> Advise: ...
    @property
    def narrow(self) -> NarrowKey: ...
    @property
    def read_audit(self) -> ReadAudit: ...
    @property
    def audit_chain(self) -> AuditChain: ...
    @property
    def audit_promise(self) -> AuditPromise: ...
    @property
    def keep_audit(self) -> KeepAudit: ...
    @property
    def set_up(self) -> SetUp: ...
    @property
    def manage_users(self) -> ManageUsers: ...
    @property
    def reset_password(self) -> ResetPassword: ...
    @property
    def manage_roles(self) -> ManageRoles: ...
    @property
    def manage_policies(self) -> ManagePolicies: ...
    @property
    def manage_groups(self) -> ManageGroups: ...
    @property
    def roll_out(self) -> RollOut: ...
    @property
    def manage_mac_keys(self) -> ManageMacKeys: ...


class ProofReport(Protocol):
    """What a run of `keyhalt prove` saw (proving.py)."""

    asked: int
    later: int
    allowed_later: int

    @property
    def deletes(self) -> int: ...
    @property
    def median_ms(self) -> float: ...
    @property
    def median_ms_paused(self) -> float: ...


class Proof(Protocol):
    @property
    def form(self) -> str: ...
    def run(self, *, seconds: float, processes: int, clients: int, kept: bool) -> ProofReport: ...


class Manifest(Protocol):
    """What a backup says of itself."""

    @property
    def epoch(self) -> int: ...
    @property
    def at(self) -> str: ...
    @property
    def files(self) -> Mapping[str, str]: ...


class Upkeep(Protocol):
    """The stores as a whole. Methods raise CopyError, in the user's words."""

    def backup(self, into: Path, *, mac_keys: bool) -> Manifest: ...
    def restore(self, source: Path) -> Manifest: ...
    def upgrade(self) -> None:
        """Bring the stores to this version's schema."""

    def check(self) -> Sequence[str]:
        """What is not as it must be, in sentences; empty when all is."""

    def unfit(self) -> Sequence[str]:
        """What would break the promise where stores are to be made, in sentences. Makes none."""

    def closed(self) -> str | None:
        """Why the stores are closed, in a sentence; None when they are open."""

    def copy(
        self,
        source: Path | str,
        target: Path | str,
        *,
        acting: Operator,
        origin: Origin,
        progress: Callable[[int, int], None],
    ) -> Sequence[Copied]:
        """Each place is a folder of SQLite or a URL of PostgreSQL."""

    def reopening(self) -> AbstractContextManager[Reopen]: ...


class Tools(Protocol):
    """What the composition root lends the commands. `said`: settings given as options."""

    def of(self, environment: str) -> Tools:
        """The same for the environment of that name."""

    def engine(self, **said: object) -> AbstractContextManager[Verbs]: ...
    def init(
        self,
        *,
        environment: str,
        product: str,
        acting: Operator,
        origin: Origin,
        **said: object,
    ) -> EnvironmentRow: ...
    def proof(self, store: str) -> AbstractContextManager[Proof]:
        """`store`: sqlite, postgresql, or auto."""

    def mac_keys(self, **said: object) -> AbstractContextManager[ManageMacKeys]: ...
    def upkeep(self, **said: object) -> Upkeep: ...
    def listen(self, host: str, port: int) -> socket.socket: ...
    def serve(self, **said: object) -> None: ...
    def serve_each(
        self, places: Mapping[socket.socket, Path], on_listening: Callable[[], None]
    ) -> None:
        """The environment of each folder at a listener of its own, over plain HTTP."""

    def contains(
        self, datasource_id: int, hierarchy: str, ancestor: int, node: int, **said: object
    ) -> bool:
        """Whether an app behind the keys has `node` at or below `ancestor`, now."""

    def missing(
        self, datasource_id: int, hierarchy: str, ids: Sequence[int], **said: object
    ) -> Sequence[int] | None:
        """Those of the nodes that no app knows; None where there is no app to ask."""

    def load_sample(
        self,
        datasource_id: int,
        user_id: int,
        *,
        sizes: Mapping[str, int],
        progress: Callable[[int, int], None],
        **said: object,
    ) -> Sequence[Mapping[str, int]]: ...


class Failure(click.ClickException):
    """A command that could not do what was asked: one line on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.code = exit_code


def tools() -> Tools:
    return cast("Tools", click.get_current_context().obj)


def operator() -> Operator:
    """Who types: the name in the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Operator(f"operator:{name}"[:128])


def origin() -> Origin:
    return Origin(request_id="", source="command-line", operation=_command())


def _command() -> str:
    return click.get_current_context().command_path[:300]


def fail(no: Denied | Refused, *, missing: str = "there is no such thing") -> NoReturn:
    """End with a denial or refusal in words. `missing`: what was not found."""
    if isinstance(no, Denied):
        raise Failure(missing, EXIT_NOT_FOUND)
    code = EXIT_CONFLICT if no.fault is Fault.CONFLICT else EXIT_ERROR
    raise Failure(no.detail, code)


def find_datasource(verbs: Verbs, name: str | None) -> DatasourceRow:
    """By name; without one, the only one there is."""
    rows: Sequence[DatasourceRow] = verbs.look_up.datasources()
    if name is None:
        if len(rows) == 1:
            return rows[0]
        names = ", ".join(row.name for row in rows) or "none yet"
        raise Failure(f"say which datasource with --datasource: {names}", EXIT_USAGE)
    row = verbs.look_up.datasource(name.encode(errors="backslashreplace").decode())
    if row is None:
        names = ", ".join(each.name for each in rows) or "none yet"
        raise Failure(f"there is no datasource {name!r}; there is: {names}", EXIT_NOT_FOUND)
    return row


@contextmanager
def opened(data: Path | None, datasource: str | None) -> Iterator[tuple[Verbs, DatasourceRow]]:
    """An open engine and the datasource that a command is about."""
    with tools().engine(data=data) as verbs:
        yield verbs, find_datasource(verbs, datasource)


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data DIR` and `--environment NAME` on every command that opens the store."""
    option = click.option(
        "--environment",
        expose_value=False,
        callback=_choose,
        help="Which one, where KEYHALT_CONFIG has several.  [default: KEYHALT_ENVIRONMENT]",
    )
    return folder_option(option(command))


def _choose(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    if name is not None:
        context.obj = context.obj.of(name)


def folder_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the stores.  [default: KEYHALT_DATA or ./keyhalt-data]",
    )(command)


def datasource_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data` and `--datasource`."""
    option = click.option(
        "-d", "--datasource", help="Name of the datasource; not needed when there is only one."
    )
    return data_option(option(command))


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="How to print.",
    )(command)
