"""Issue a key, import one that another system issued, edit what is said about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core import keytext
from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Here, Reason, import_message
from keyhalt.core.keytext import RANDOM_BYTES, Malformed
from keyhalt.core.leases import Kind, subject
from keyhalt.core.names import fault_of, has_unseen
from keyhalt.core.principals import Acting, Credential, CredentialKind, Operator
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import digest_of
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.ports import DuplicateError
from keyhalt.usecases.rows import NewKey

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.covering import Covering
    from keyhalt.usecases.ports import (
        Barrier,
        Clock,
        Randomness,
        Rights,
        RightsTransaction,
    )
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


class IssueKey:
    """The verbs that write a key's row, other than ending it."""

    def __init__(
        self,
        *,
        rights: Rights,
        here: Here,
        needs: Needs,
        barrier: Barrier,
        covering: Covering,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._rights = rights
        self._here = here
        self._needs = needs
        self._barrier = barrier
        self._covering = covering
        self._clock = clock
        self._randomness = randomness

    def create(
        self,
        acting: Acting,
        *,
        datasource_id: int,
        owner_id: int,
        name: str,
        description: str,
        origin: Origin,
    ) -> Issued | Denied | Refused:
        """Make a key of `owner_id`: of the caller, or of a service account that the caller covers.

        The row and its text are one transaction: killed at any point, there is no key or a whole
        one. It raises no epoch: nothing is remembered of a key that was not there.
        """
        refused = fault_of_key(name, description)
        if refused is not None:
            return refused
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_keys) or _key_of_key(tx, acting)
            no = no or self._in_anothers_name(tx, acting, datasource_id, owner_id)
            key_id = no or self._add(tx, acting, datasource_id, owner_id, name, description)
            if not isinstance(key_id, int):
                return key_id
            text = self._mint(tx, datasource_id, owner_id, key_id)
            row = tx.keys.get(datasource_id, key_id)
            assert row is not None  # noqa: S101 - this transaction wrote it
            tx.record(self._event(Event.KEY_CREATE, acting, row, origin))
            return Issued(row, text)

    def import_key(
        self,
        acting: Operator,
        *,
        datasource_id: int,
        owner_id: int,
        name: str,
        description: str,
        text: Secret,
        origin: Origin,
    ) -> KeyRow | Denied | Refused:
        """Let a key that another system issued count as `owner_id`'s. Only its digest is kept.

        Refused for a text of our own shape (it would be read as ours) and for a short one: what
        is looked up by digest must be beyond guessing.
        """
        refused = fault_of_key(name, description)
        if refused is not None:
            return refused
        parsed = keytext.parse(text.reveal().encode())
        if not isinstance(parsed, Malformed) or parsed.why != "foreign":
            return Refused(Fault.INVALID_BODY, "This is the text of a Keyhalt key.", "text")
        if len(text.reveal()) < 20 or "," in text.reveal() or has_unseen(text.reveal()):
            detail = (
                "A key to import has at least 20 characters, no comma and no control character."
            )
            return Refused(Fault.INVALID_BODY, detail, "text")
        generation = self._here.mac_keys().minting
        try:
            with self._rights.change() as tx:
                key_id = self._add(tx, acting, datasource_id, owner_id, name, description)
                if not isinstance(key_id, int):
                    return key_id
                message = import_message(key_id, owner_id, datasource_id, parsed.digest)
                tx.keys.set_imported(
                    datasource_id,
                    key_id,
                    digest=parsed.digest,
                    last4=text.reveal()[-4:],
                    generation=generation.number,
                    mac=generation.mac(message),
                )
                row = tx.keys.get(datasource_id, key_id)
                assert row is not None  # noqa: S101 - this transaction wrote it
                # Verifiers remember that nothing was imported.
                epoch = tx.raise_epoch(subject(Kind.KEY, key_id))
                event = self._event(Event.KEY_IMPORT, acting, row, origin)
                tx.record(replace(event, epoch=epoch))
        except DuplicateError:
            return Refused(Fault.CONFLICT, "This key was imported before.", "text")
        self._barrier.wait(epoch)
        return row

    def edit(
        self,
        acting: Acting,
        *,
        datasource_id: int,
        key_id: int,
        name: str,
        description: str | None,
        origin: Origin,
    ) -> KeyRow | Denied | Refused:
        """Change name and description; None leaves the description as it is. No right changes."""
        refused = fault_of_key(name, description)
        if refused is not None:
            return refused
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_keys)
            if no is not None:
                return no
            before = tx.keys.get(datasource_id, key_id)
            if before is None or before.deleted_at is not None:
                return Denied(Reason.NOT_FOUND)
            tx.keys.rename(datasource_id, key_id, name=name, description=description)
            row = tx.keys.get(datasource_id, key_id)
            assert row is not None  # noqa: S101 - this transaction wrote it
            tx.record(self._event(Event.KEY_EDIT, acting, row, origin))
            return row

    def _in_anothers_name(
        self, tx: RightsTransaction, acting: Acting, datasource_id: int, owner_id: int
    ) -> Denied | None:
        """Nobody makes a key of another person; of a service account, who manages and covers it."""
        if isinstance(acting, Operator) or acting.user_id == owner_id:
            return None
        no = check_again(tx, acting, self._needs.manage_users)
        owner = no or tx.users.get(datasource_id, owner_id)
        if owner is None or isinstance(owner, Denied):
            return owner or Denied(Reason.NOT_FOUND)
        if not owner.service:
            return Denied(
                Reason.BEYOND_OWN_RIGHTS, need=f"a key in the name of user {owner_id}, a person"
            )
        return self._covering.refuse(tx, acting, owner.power)

    def _add(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        owner_id: int,
        name: str,
        description: str,
    ) -> int | Denied | Refused:
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
            created_at=self._clock.now(),
        )
        return tx.keys.add(datasource_id, key)

    def _mint(
        self, tx: RightsTransaction, datasource_id: int, owner_id: int, key_id: int
    ) -> Secret:
        owner = tx.users.get(datasource_id, owner_id)
        assert owner is not None  # noqa: S101 - _add found it in this transaction
        generation = self._here.mac_keys().minting
        text = keytext.mint(
            product=self._here.product,
            environment=self._here.environment,
            datasource=owner.datasource,
            user_id=owner_id,
            key_id=key_id,
            generation=generation,
            random=self._randomness.bytes(RANDOM_BYTES),
        )
        tx.keys.set_text(
            datasource_id,
            key_id,
            digest=digest_of(text.reveal().encode()),
            last4=text.reveal()[-4:],
            generation=generation.number,
        )
        return text

    def _event(self, event: Event, acting: Acting, row: KeyRow, origin: Origin) -> AuditEvent:
        return AuditEvent(
            event=event,
            at=self._clock.now(),
            actor=actor_of(acting),
            origin=origin,
            datasource_id=row.datasource_id,
            object_type="key",
            object_id=row.id,
            details={"name": row.name, "hint": row.hint, "owner": row.owner_code},
        )


def _key_of_key(tx: RightsTransaction, acting: Acting) -> Denied | None:
    """Whether a key would make a key where the datasource does not let it."""
    if isinstance(acting, Operator) or acting.credential.kind is not CredentialKind.KEY:
        return None
    if tx.datasources.policy(acting.datasource_id).keys_create_keys:
        return None
    return Denied(Reason.KEY_CANNOT_CREATE_KEYS)
