"""Verify, for whoever is not behind us: `POST /api/keyhalt/v1/verify`, on the internal listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.credentials import origin_of
from keyhalt.client.operations import Reply
from keyhalt.client.questions import answer_of, presented_in
from keyhalt.core.decisions import Allowed, Decision, Denied, permit, taken
from keyhalt.core.permissions import CatalogueError
from keyhalt.core.refusals import Fault, Refused
from keyhalt.web.bodies import parse_body, read_body

if TYPE_CHECKING:
    from keyhalt.client.middleware import Receive, Scope, Verifier
    from keyhalt.core.permissions import Catalogue

TEXT_MAX = 8192


class VerifyBody(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    over_https: bool = Field(alias="overHttps")
    api_key: str | None = Field(None, alias="apiKey", max_length=TEXT_MAX, repr=False)
    bearer: str | None = Field(None, max_length=TEXT_MAX, repr=False)
    key_in_url: str | None = Field(None, alias="keyInUrl", max_length=TEXT_MAX, repr=False)
    authorizations: int | None = Field(None, ge=0, le=100)
    permission: str | None = Field(None, max_length=200)
    source: str | None = Field(None, max_length=64)


class VerifyHandler:
    def __init__(self, verifier: Verifier, catalogue: Catalogue) -> None:
        self.verifier = verifier
        self.catalogue = catalogue
        # Public, so that who times answers can put another in its place (usecases/timing.py).
        self.remembered = verifier.remembered

    async def answer(self, scope: Scope, receive: Receive) -> Reply | Denied | Refused:
        """Always 200 when there is a decision; a denial is in the log like any other."""
        data = await read_body(scope, receive)
        body = data if isinstance(data, Refused) else parse_body(data, VerifyBody)
        if isinstance(body, Refused):
            return body
        decision = await self._decide(body)
        if isinstance(decision, Refused):
            return decision
        if isinstance(decision, Denied):
            origin = origin_of(scope)
            decision = self.verifier.refused(
                decision, origin._replace(source=body.source or origin.source)
            )
        return Reply(answer_of(decision, self.catalogue.names))

    async def _decide(self, body: VerifyBody) -> Decision | Refused:
        try:
            need = None if body.permission is None else self.verifier.need(body.permission)
            presented = presented_in(body.model_dump(by_alias=True))
        except CatalogueError as error:
            return Refused(Fault.INVALID_BODY, f"{error}.", "permission")
        except UnicodeError:
            return Refused(Fault.INVALID_BODY, "A credential is what a header can hold.")
        principal = self.remembered(presented.only_key, presented.over_https)
        if principal is None:
            decision = await self.verifier.verify(presented)
            principal = decision.principal if isinstance(decision, Allowed) else decision
        if isinstance(principal, Denied):
            return principal
        denied = permit(principal, need)
        if denied is not None:
            return denied
        # How it was asked is known where the asker is.
        self.verifier.used(principal, taken(principal, need), "", "", (body.source,), ())
        return Allowed(principal)
