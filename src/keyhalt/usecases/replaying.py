"""Do again, in a store that was put back, one change of rights that the audit log tells of."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from keyhalt.core.audit import Event
from keyhalt.core.permissions import CatalogueError, union
from keyhalt.usecases.rows import DatasourcePolicy, FreezeRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyhalt.core.permissions import Catalogue
    from keyhalt.usecases.ports import RightsTransaction


@dataclass(frozen=True, slots=True)
class LogLine:
    """What replaying needs of one line of `keyhalt audit export`. `epoch` 0: it raised none."""

    cluster: str
    epoch: int
    event: str
    at: str
    actor: str
    datasource_id: int
    object_id: int
    details: Mapping[str, Any]

    @classmethod
    def of(cls, data: Any) -> LogLine:  # noqa: ANN401 - whatever the line holds
        """Raises ValueError for what is no line of an export."""
        try:
            return cls(
                cluster=str(data["cluster"]),
                epoch=int(data["epoch"] or 0),
                event=str(data["event"]),
                at=str(data["at"]),
                actor=str(data["actor"]),
                datasource_id=int(data["datasource_id"] or 0),
                object_id=int(data["object_id"] or 0),
                details=dict(data["details"]),
            )
        except (KeyError, TypeError, ValueError):
            raise ValueError("it is no line of 'keyhalt audit export'") from None


class Replay:
    """Into one transaction, as of `epoch`. What is not in the store cannot count in it."""

    def __init__(
        self, tx: RightsTransaction, catalogue: Catalogue, *, at: datetime, epoch: int
    ) -> None:
        self._tx = tx
        self._catalogue = catalogue
        self._at = at
        self._epoch = epoch
        # The ids of freezes in the log, and those that they have here.
        self._freezes: dict[int, int] = {}
        self.how: Mapping[str, Callable[[LogLine], str | None]] = {
            Event.KEY_DELETE: self._delete_key,
            Event.KEY_REVOKE_BEGIN: self._delete_key,
            Event.USER_ACTIVATE: self._set_user_active,
            Event.USER_DEACTIVATE: self._set_user_active,
            Event.USER_SET_ROLE: self._set_role,
            Event.USER_SET_TOPMOST: self._set_topmosts,
            Event.USER_SET_PASSWORD: self._forget_password,
            Event.USER_EDIT: self._edit_user,
            Event.ROLE_EDIT: self._edit_role,
            Event.DATASOURCE_SET_POLICY: self._set_policy,
            Event.DATASOURCE_ACTIVATE: self._set_datasource_active,
            Event.DATASOURCE_DEACTIVATE: self._set_datasource_active,
            Event.KEYS_FREEZE: self._freeze,
            Event.KEYS_THAW: self._thaw,
            Event.POLICY_APPLY: _policy,
            Event.KEY_IMPORT: _nothing,
            Event.ENVIRONMENT_COPY: _nothing,
            Event.ENVIRONMENT_REOPEN: _nothing,
        }

    def __call__(self, line: LogLine) -> str | None:
        """None when it is done, else why it cannot be."""
        how = self.how.get(line.event)
        if how is None:
            return "this version cannot replay it"
        try:
            return how(line)
        except (KeyError, TypeError, ValueError, AttributeError):
            return "the line does not say enough"

    def _delete_key(self, line: LogLine) -> None:
        if self._tx.keys.get(line.datasource_id, line.object_id) is not None:
            self._tx.keys.delete(line.datasource_id, line.object_id, at=self._at, epoch=self._epoch)

    def _set_user_active(self, line: LogLine) -> None:
        active = line.event == Event.USER_ACTIVATE
        self._tx.users.set_active(line.datasource_id, line.object_id, active=active)

    def _set_role(self, line: LogLine) -> str | None:
        role = self._tx.roles.find(line.datasource_id, line.details["after"])
        if role is None:
            return f"there is no role {line.details['after']!r} in this store"
        self._tx.users.set_role(line.datasource_id, line.object_id, role.id)
        return None

    def _set_topmosts(self, line: LogLine) -> None:
        if self._tx.users.get(line.datasource_id, line.object_id) is None:
            return
        after = {str(name): tuple(map(int, ids)) for name, ids in line.details["after"].items()}
        self._tx.users.set_topmosts(line.datasource_id, line.object_id, after)

    def _forget_password(self, line: LogLine) -> None:
        # The new one is not in the log, and the old one may be why it was changed.
        self._tx.users.set_password(line.datasource_id, line.object_id, None, at=self._at)

    def _edit_user(self, line: LogLine) -> None:
        row = self._tx.users.row(line.datasource_id, line.object_id)
        if row is None:
            return
        known = {field.name for field in fields(row.details)}
        said = {name: value for name, value in line.details.items() if name in known}
        if "code" in said and self._tx.users.find(line.datasource_id, said["code"]) is not None:
            del said["code"]
        self._tx.users.set_details(line.datasource_id, line.object_id, replace(row.details, **said))

    def _edit_role(self, line: LogLine) -> str | None:
        role = self._tx.roles.get(line.datasource_id, line.object_id)
        if role is None:
            return None
        name = str(line.details["name"])
        if self._tx.roles.find(line.datasource_id, name) is not None:
            name = role.name
        permissions = role.permissions
        if "after" in line.details:
            try:
                permissions = union(*map(self._catalogue.grants, line.details["after"]))
            except CatalogueError as error:
                return str(error)
        hidden = bool(line.details.get("hidden", role.hidden))
        after = replace(role, name=name, hidden=hidden, permissions=permissions)
        self._tx.roles.edit(line.datasource_id, after)
        return None

    def _set_policy(self, line: LogLine) -> None:
        policy = DatasourcePolicy(**line.details["after"])
        self._tx.datasources.set_policy(line.datasource_id, policy)

    def _freeze(self, line: LogLine) -> None:
        there = {row.id for row in self._tx.datasources.list()}
        if line.datasource_id and line.datasource_id not in there:
            return
        generation = line.details["generation"]
        new = FreezeRow(
            0,
            datasource_id=line.datasource_id or None,
            issued_before=datetime.fromisoformat(line.details["issued_before"]),
            generation=None if generation is None else int(generation),
            frozen_at=self._at,
        )
        self._freezes[line.object_id] = self._tx.freezes.add(new)

    def _thaw(self, line: LogLine) -> None:
        self._tx.freezes.end(self._freezes.get(line.object_id, line.object_id), self._at)

    def _set_datasource_active(self, line: LogLine) -> None:
        active = line.event == Event.DATASOURCE_ACTIVATE
        self._tx.datasources.set_active(line.datasource_id, active=active)


def _policy(line: LogLine) -> str:
    return f"the text of policy {line.details['name']!r} is not in the log; apply it again"


def _nothing(line: LogLine) -> None:
    """It took nothing away."""
    del line
