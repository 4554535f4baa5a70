"""Set the password of somebody else: by who may reset passwords and covers all of their rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.refusals import Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.new_passwords import refuse_password, refuse_to_set

if TYPE_CHECKING:
    from datetime import datetime

    from keyhalt.core.principals import Acting, UserFacts
    from keyhalt.core.profiles import Needs
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.covering import Covering
    from keyhalt.usecases.ports import Clock, Passwords, Rights, RightsTransaction
    from keyhalt.usecases.rows import SignInFacts


@dataclass(frozen=True, slots=True)
class Reset:
    """`keys`: how many that count the user has or made since the password of before was set.

    If somebody else knew that, they may be theirs: DeleteKey.made_since(since) ends them.
    """

    user: UserFacts
    receipt: Receipt
    since: datetime
    keys: int


class ResetPassword:
    """Ends the user's tokens and sessions; keys are not touched."""

    def __init__(
        self,
        *,
        rights: Rights,
        passwords: Passwords,
        needs: Needs,
        covering: Covering,
        barrier: Barrier,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._passwords = passwords
        self._needs = needs
        self._covering = covering
        self._barrier = barrier
        self._clock = clock

    def __call__(
        self,
        acting: Acting,
        *,
        datasource_id: int,
        user_id: int,
        password: Secret,
        must_change: bool,
        origin: Origin,
    ) -> Reset | Denied | Refused:
        """`must_change`: it is good for choosing another one only."""
        with self._rights.look() as tx:
            found = self._permitted(tx, acting, datasource_id, user_id)
        if isinstance(found, Denied | Refused):
            return found
        refused = refuse_password(password, found.policy, found.about)
        if refused is not None:
            return refused
        password_hash = self._passwords.hash(password)
        with self._rights.change() as tx:
            found = self._permitted(tx, acting, datasource_id, user_id)
            if isinstance(found, Denied | Refused):
                return found
            user, at = found.user, self._clock.now()
            tx.users.set_password(
                datasource_id, user_id, password_hash, at=at, must_change=must_change
            )
            epoch = tx.raise_epoch(subject(Kind.USER, user_id))
            tx.record(
                AuditEvent(
                    event=Event.USER_SET_PASSWORD,
                    at=at,
                    actor=actor_of(acting),
                    origin=origin,
                    datasource_id=datasource_id,
                    object_type="user",
                    object_id=user_id,
                    details={"code": user.user_code, "must_change": must_change},
                    epoch=epoch,
                )
            )
            keys = tx.keys.made_since(
                datasource_id, user_id=user_id, user_code=user.user_code, since=found.age.since
            )
        living = sum(key.deleted_at is None for key in keys)
        return Reset(user, self._barrier.wait(epoch), found.age.since, living)

    def _permitted(
        self, tx: RightsTransaction, acting: Acting, datasource_id: int, user_id: int
    ) -> SignInFacts | Denied | Refused:
        no = check_again(tx, acting, self._needs.reset_passwords)
        user = None if no else tx.users.get(datasource_id, user_id)
        if user is None:
            return no or Denied(Reason.NOT_FOUND)
        refused = refuse_to_set(tx, acting, user, self._needs, self._covering)
        if refused is not None:
            return refused
        found = tx.users.sign_in_facts(datasource_id, user.user_code)
        assert found is not None  # noqa: S101 - found by its id in this transaction
        return found
