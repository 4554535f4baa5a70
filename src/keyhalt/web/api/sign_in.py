"""Login, logout, environment (contract rows 6, 7 and 30), and choosing another password.

They ignore credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from keyhalt.client.credentials import origin_of, read
from keyhalt.client.operations import Reply
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.rows import SignInRequest
from keyhalt.web.api.wire import RECEIPT
from keyhalt.web.bodies import parse_body, read_body

if TYPE_CHECKING:
    from keyhalt.client.middleware import Receive, Scope
    from keyhalt.usecases.sign_in import SignIn
    from keyhalt.web.lane import Lane

LOGIN = "/api/v3/login"
LOGOUT = "/api/v3/logout"
ENVIRONMENT = "/api/v3/environment"
PASSWORD = "/api/keyhalt/v1/password"  # noqa: S105 - an address


class LoginBody(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    datasource: str = Field(alias="dataSource", max_length=200)
    user_code: str = Field(alias="username", max_length=200)
    password: str = Field(max_length=1024, repr=False)
    partition: str | None = Field(None, max_length=200)

    @property
    def request(self) -> SignInRequest:
        return SignInRequest(
            self.datasource, self.user_code, Secret(self.password), self.partition or ""
        )


class PasswordBody(LoginBody):
    new_password: str = Field(alias="newPassword", max_length=1024, repr=False)


@dataclass(frozen=True, slots=True)
class SignInHandlers:
    verb: SignIn
    lane: Lane
    build_date: str
    version: str

    async def login(self, scope: Scope, receive: Receive) -> Reply | Denied | Refused:
        data = await read_body(scope, receive)
        body = data if isinstance(data, Refused) else parse_body(data, LoginBody)
        if isinstance(body, Refused):
            return body
        origin = origin_of(scope)
        signed_in = await self.lane.run(origin.source, self.verb.sign_in, body.request, origin)
        if isinstance(signed_in, Denied):
            return signed_in
        user = {"userName": signed_in.user.user_code, "fullName": signed_in.user.full_name}
        return Reply({"token": signed_in.token.reveal(), "user": user})

    async def change_password(self, scope: Scope, receive: Receive) -> Reply | Denied | Refused:
        """Who knows the old password gives a new one: 200 with no body."""
        data = await read_body(scope, receive)
        body = data if isinstance(data, Refused) else parse_body(data, PasswordBody)
        if isinstance(body, Refused):
            return body
        origin, new = origin_of(scope), Secret(body.new_password)
        receipt = await self.lane.run(
            origin.source, self.verb.change_password, body.request, new, origin
        )
        if isinstance(receipt, Denied | Refused):
            return receipt
        return Reply(headers=((RECEIPT, str(receipt)),))

    async def logout(self, scope: Scope, _receive: Receive) -> Reply:
        """Ends the bearer token it was sent, never a key; 200 with no body, whatever was sent."""
        presented = read(scope)
        if presented.bearer is not None and presented.authorizations == 1:
            await run_in_threadpool(self.verb.end_token, presented.bearer, origin_of(scope))
        return Reply()

    async def environment(self, _scope: Scope, _receive: Receive) -> Reply:
        return Reply({"buildDate": self.build_date, "version": self.version})
