"""The verbs of an engine that change who may do what, put together."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from keyhalt.system.passwords import Argon2Passwords
from keyhalt.usecases.covering import Covering
from keyhalt.usecases.edit_me import EditMe
from keyhalt.usecases.freeze import FreezeKeys
from keyhalt.usecases.manage_groups import ManageGroups
from keyhalt.usecases.manage_policies import ManagePolicies
from keyhalt.usecases.manage_roles import ManageRoles
from keyhalt.usecases.manage_users import ManageUsers
from keyhalt.usecases.reset_password import ResetPassword
from keyhalt.usecases.revoke import DeleteKey
from keyhalt.usecases.roll_out import RollOut
from keyhalt.usecases.set_up import SetUp
from keyhalt.usecases.user_rules import UserRules

if TYPE_CHECKING:
    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Profile
    from keyhalt.options import EngineOptions
    from keyhalt.storage.rights import SqlRights
    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.receipts import Told


class Administering:
    """The part of the engine (embed.py) that needs the store of rights and its barrier alone.

    Each verb is made when it is first asked for.
    """

    rights: SqlRights
    barrier: Told
    options: EngineOptions
    profile: Profile
    trees: Trees
    clock: Clock

    @cached_property
    def passwords(self) -> Argon2Passwords:
        return Argon2Passwords(self.options.passwords_at_once)

    @cached_property
    def freeze_keys(self) -> FreezeKeys:
        return FreezeKeys(rights=self.rights, barrier=self.barrier, clock=self.clock)

    @cached_property
    def delete_key(self) -> DeleteKey:
        return DeleteKey(
            rights=self.rights, needs=self.profile.needs, barrier=self.barrier, clock=self.clock
        )

    @cached_property
    def set_up(self) -> SetUp:
        return SetUp(
            rights=self.rights, profile=self.profile, barrier=self.barrier, clock=self.clock
        )

    @cached_property
    def covering(self) -> Covering:
        return Covering(self.trees, self.profile.catalogue)

    @cached_property
    def user_rules(self) -> UserRules:
        return UserRules(self.profile.needs, self.covering)

    @cached_property
    def manage_users(self) -> ManageUsers:
        return ManageUsers(
            rights=self.rights,
            passwords=self.passwords,
            barrier=self.barrier,
            clock=self.clock,
            rules=self.user_rules,
        )

    @cached_property
    def reset_password(self) -> ResetPassword:
        return ResetPassword(
            rights=self.rights,
            passwords=self.passwords,
            needs=self.profile.needs,
            covering=self.covering,
            barrier=self.barrier,
            clock=self.clock,
        )

    @cached_property
    def edit_me(self) -> EditMe:
        return EditMe(rights=self.rights, barrier=self.barrier, clock=self.clock)

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
    def manage_policies(self) -> ManagePolicies:
        return ManagePolicies(
            rights=self.rights, profile=self.profile, barrier=self.barrier, clock=self.clock
        )

    @cached_property
    def manage_groups(self) -> ManageGroups:
        return ManageGroups(rights=self.rights, clock=self.clock, rules=self.user_rules)

    @cached_property
    def roll_out(self) -> RollOut:
        return RollOut(
            rights=self.rights,
            catalogue=self.profile.catalogue,
            barrier=self.barrier,
            clock=self.clock,
        )
