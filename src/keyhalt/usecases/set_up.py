"""Set up: the environment, its datasources with their roles, and the first administrator."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.environments import ENVIRONMENT_NAME_MAX
from keyhalt.core.leases import Kind, subject
from keyhalt.core.names import fault_in_keys
from keyhalt.core.passwords import LENGTH_MIN_LEAST, LENGTH_MIN_MOST
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.ports import DuplicateError
from keyhalt.usecases.rows import EnvironmentRow, role_of

if TYPE_CHECKING:
    from keyhalt.core.principals import Operator
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction
    from keyhalt.usecases.rows import DatasourceRow

PRODUCT_NAME_MAX = 32
DATASOURCE_NAME_MAX = 64


class SetUp:
    """The operator's verbs about environments and datasources. Names are never reused."""

    def __init__(self, *, rights: Rights, profile: Profile, barrier: Barrier, clock: Clock) -> None:
        self._rights = rights
        self._profile = profile
        self._barrier = barrier
        self._clock = clock

    def environment(
        self, acting: Operator, new: EnvironmentRow, origin: Origin
    ) -> EnvironmentRow | Refused:
        """Name the environment. The same again changes nothing; another name is refused.

        `new.cluster` is a fresh unique id, which tells this store from every other.
        """
        for what, name, length_max in (
            ("environment", new.name, ENVIRONMENT_NAME_MAX),
            ("product", new.product, PRODUCT_NAME_MAX),
        ):
            fault = fault_in_keys(name, length_max=length_max)
            if fault is not None:
                return Refused(Fault.INVALID_BODY, f"The name of the {what} {fault}.", what)
        with self._rights.change() as tx:
            there = tx.datasources.environment()
            if there is not None:
                if (there.name, there.product) == (new.name, new.product):
                    return there
                detail = (
                    f"This store is environment {there.name!r} of {there.product!r} already;"
                    " these names are part of every key and do not change."
                )
                return Refused(Fault.CONFLICT, detail, "environment")
            tx.datasources.add_environment(new)
            self._record(tx, Event.ENVIRONMENT_CREATE, acting, origin, None, {"name": new.name})
            return new

    def datasource(self, acting: Operator, name: str, origin: Origin) -> DatasourceRow | Refused:
        """Make a datasource with a copy of the profile's roles."""
        fault = fault_in_keys(name, length_max=DATASOURCE_NAME_MAX)
        if fault is not None:
            return Refused(Fault.INVALID_BODY, f"The name of a datasource {fault}.", "datasource")
        try:
            with self._rights.change() as tx:
                datasource_id = tx.datasources.add(name, self._clock.now())
                for template in self._profile.roles:
                    tx.roles.add(datasource_id, role_of(template))
                event = Event.DATASOURCE_CREATE
                self._record(tx, event, acting, origin, datasource_id, {"name": name})
                row = tx.datasources.find(name)
                assert row is not None  # noqa: S101 - this transaction wrote it
                return row
        except DuplicateError:
            detail = f"There is a datasource {name!r} already, or was; names are not reused."
            return Refused(Fault.CONFLICT, detail, "datasource")

    def set_datasource_active(
        self, acting: Operator, name: str, origin: Origin, *, active: bool
    ) -> Receipt | Denied:
        """Stop every credential of a datasource, or let them count again."""
        with self._rights.change() as tx:
            row = tx.datasources.find(name)
            if row is None:
                return Denied(Reason.NOT_FOUND)
            tx.datasources.set_active(row.id, active=active)
            epoch = tx.raise_epoch(subject(Kind.DATASOURCE, row.id))
            event = Event.DATASOURCE_ACTIVATE if active else Event.DATASOURCE_DEACTIVATE
            self._record(tx, event, acting, origin, row.id, {"name": row.name}, epoch)
        return self._barrier.wait(epoch)

    def set_policy(
        self,
        acting: Operator,
        name: str,
        origin: Origin,
        *,
        password_length_min: int | None = None,
        keys_create_keys: bool | None = None,
    ) -> Receipt | Denied | Refused:
        """What the users of a datasource may do; None leaves that as it is."""
        if password_length_min is not None and not (
            LENGTH_MIN_LEAST <= password_length_min <= LENGTH_MIN_MOST
        ):
            detail = (
                f"The least length of a password is from {LENGTH_MIN_LEAST} to {LENGTH_MIN_MOST}."
            )
            return Refused(Fault.INVALID_BODY, detail, "passwordLengthMin")
        with self._rights.change() as tx:
            row = tx.datasources.find(name)
            if row is None:
                return Denied(Reason.NOT_FOUND)
            said = {
                "password_length_min": password_length_min,
                "keys_create_keys": keys_create_keys,
            }
            change = {what: value for what, value in said.items() if value is not None}
            policy = replace(row.policy, **change)  # type: ignore[arg-type]
            tx.datasources.set_policy(row.id, policy)
            epoch = tx.raise_epoch(subject(Kind.DATASOURCE, row.id))
            details: dict[str, object] = {
                "name": row.name,
                "before": asdict(row.policy),
                "after": asdict(policy),
            }
            event = Event.DATASOURCE_SET_POLICY
            self._record(tx, event, acting, origin, row.id, details, epoch)
        return self._barrier.wait(epoch)

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Operator,
        origin: Origin,
        datasource_id: int | None,
        details: dict[str, object],
        epoch: int | None = None,
    ) -> None:
        actor: Actor = actor_of(acting)
        tx.record(
            AuditEvent(
                event=event,
                at=self._clock.now(),
                actor=actor,
                origin=origin,
                datasource_id=datasource_id,
                object_type=event.value.partition(".")[0],
                object_id=datasource_id,
                details=details,
                epoch=epoch,
            )
        )
