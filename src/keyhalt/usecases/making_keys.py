"""What every verb that makes a key does inside its transaction: the row, the text, the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core import keytext
from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Here, Reason
from keyhalt.core.keytext import RANDOM_BYTES
from keyhalt.core.names import fault_of, has_unseen
from keyhalt.core.principals import Acting, Credential, CredentialKind, Operator
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import digest_of
from keyhalt.usecases.rows import NewKey

if TYPE_CHECKING:
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.ports import Clock, Randomness, RightsTransaction
    from keyhalt.usecases.rows import KeyRow

NAME_MAX = 60
DESCRIPTION_MAX = 4_000
_LINE_BREAKS = "\r\n\t"
_BY_OPERATOR = Credential(CredentialKind.OPERATOR, 0)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key: its row, and its text, for the only time."""

    row: KeyRow
    text: Secret


def fault_of_key(name: str, description: str | None) -> Refused | None:
    """Whether a key may be called and described so."""
    fault = fault_of(name, length_max=NAME_MAX)
    if fault is not None:
        return Refused(Fault.INVALID_BODY, f"The name of a key {fault}.", "apiKeyName")
    if description is None:
        return None
    if len(description) > DESCRIPTION_MAX:
        detail = f"A description has at most {DESCRIPTION_MAX:,} characters."
        return Refused(Fault.INVALID_BODY, detail, "apiKeyDescription")
    if has_unseen(description, but=_LINE_BREAKS):
        detail = "A description must not hold control characters other than line breaks."
        return Refused(Fault.INVALID_BODY, detail, "apiKeyDescription")
    return None


def key_of_key(tx: RightsTransaction, acting: Acting) -> Denied | None:
    """Whether a key would make a key where the datasource does not let it."""
    if isinstance(acting, Operator) or acting.credential.kind is not CredentialKind.KEY:
        return None
    if tx.datasources.policy(acting.datasource_id).keys_create_keys:
        return None
    return Denied(Reason.KEY_CANNOT_CREATE_KEYS)


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """Who may was asked before."""

    here: Here
    clock: Clock
    randomness: Randomness

    def make(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        owner_id: int,
        name: str,
        description: str,
        *,
        origin: Origin,
        in_place_of: int | None = None,
    ) -> Issued | Denied | Refused:
        key_id = self.add(
            tx, acting, datasource_id, owner_id, name, description, in_place_of=in_place_of
        )
        if not isinstance(key_id, int):
            return key_id
        text = self._mint(tx, datasource_id, owner_id, key_id)
        row = tx.keys.get(datasource_id, key_id)
        assert row is not None  # noqa: S101 - this transaction wrote it
        tx.record(self.event(Event.KEY_CREATE, acting, row, origin))
        return Issued(row, text)

    def add(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        owner_id: int,
        name: str,
        description: str,
        *,
        in_place_of: int | None = None,
    ) -> int | Denied | Refused:
        """A row without a text yet."""
        owner = tx.users.get(datasource_id, owner_id)
        if owner is None:
            return Denied(Reason.NOT_FOUND)
        if not (owner.active and owner.datasource_active):
            what = owner.datasource if owner.active else owner.user_code
            detail = f"{what} is deactivated; a key would not count."
            return Refused(Fault.INVALID_STATE, detail)
        key = NewKey(
            owner_id=owner_id,
            name=name,
            description=description,
            made_with=_BY_OPERATOR if isinstance(acting, Operator) else acting.credential,
            made_by=acting.name if isinstance(acting, Operator) else acting.user_code,
            created_at=self.clock.now(),
            in_place_of=in_place_of,
        )
        return tx.keys.add(datasource_id, key)

    def _mint(
        self, tx: RightsTransaction, datasource_id: int, owner_id: int, key_id: int
    ) -> Secret:
        owner = tx.users.get(datasource_id, owner_id)
        assert owner is not None  # noqa: S101 - `add` found it in this transaction
        generation = self.here.mac_keys().minting
        text = keytext.mint(
            product=self.here.product,
            environment=self.here.environment,
            datasource=owner.datasource,
            user_id=owner_id,
            key_id=key_id,
            generation=generation,
            random=self.randomness.bytes(RANDOM_BYTES),
        )
        tx.keys.set_text(
            datasource_id,
            key_id,
            digest=digest_of(text.reveal().encode()),
            last4=text.reveal()[-4:],
            generation=generation.number,
        )
        return text

    def event(self, event: Event, acting: Acting, row: KeyRow, origin: Origin) -> AuditEvent:
        details: dict[str, object] = {
            "name": row.name,
            "hint": row.hint,
            "owner": row.owner_code,
        }
        if row.in_place_of is not None:
            details["in_place_of"] = row.in_place_of
        return AuditEvent(
            event=event,
            at=self.clock.now(),
            actor=actor_of(acting),
            origin=origin,
            datasource_id=row.datasource_id,
            object_type="key",
            object_id=row.id,
            details=details,
        )
