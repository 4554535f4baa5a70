"""Issue a key, import one that another system issued, edit what is said about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keyhalt.core import keytext
from keyhalt.core.audit import Event, Origin
from keyhalt.core.decisions import Denied, Here, Reason, import_message
from keyhalt.core.keytext import Malformed
from keyhalt.core.leases import Kind, subject
from keyhalt.core.names import has_unseen
from keyhalt.core.principals import Acting, Operator
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.making_keys import Issued, fault_of_key, key_of_key
from keyhalt.usecases.ports import DuplicateError

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.barrier import Barrier
    from keyhalt.usecases.covering import Covering
    from keyhalt.usecases.making_keys import KeyMaker
    from keyhalt.usecases.ports import Rights, RightsTransaction
    from keyhalt.usecases.rows import KeyRow


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
        maker: KeyMaker,
    ) -> None:
        self._rights = rights
        self._here = here
        self._needs = needs
        self._barrier = barrier
        self._covering = covering
        self._maker = maker

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
            no = check_again(tx, acting, self._needs.manage_keys) or key_of_key(tx, acting)
            no = no or self._in_anothers_name(tx, acting, datasource_id, owner_id)
            return no or self._maker.make(
                tx, acting, datasource_id, owner_id, name, description, origin=origin
            )

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
                key_id = self._maker.add(tx, acting, datasource_id, owner_id, name, description)
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
                event = self._maker.event(Event.KEY_IMPORT, acting, row, origin)
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
            tx.record(self._maker.event(Event.KEY_EDIT, acting, row, origin))
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
