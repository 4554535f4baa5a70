"""For Django REST framework, behind `KeyhaltMiddleware`: who calls, and what they may.

class Orders(APIView):
    authentication_classes = [KeyhaltAuthentication]
    permission_classes = [HasPermission("orders.view")]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission

from keyhalt.client.credentials import KEY_HEADER_NAME
from keyhalt.integrations.django import check, principal_of

if TYPE_CHECKING:
    from rest_framework.request import Request

    from keyhalt.core.principals import Principal


@dataclass(frozen=True, slots=True)
class KeyhaltUser:
    """`request.user`: the key's owner, as REST framework asks of a user."""

    principal: Principal
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    @property
    def pk(self) -> int:
        return self.principal.user_id

    def get_username(self) -> str:
        return self.principal.user_code


class KeyhaltAuthentication(BaseAuthentication):  # type: ignore[misc]  # it has no types
    """`request.user` is a KeyhaltUser, `request.auth` the principal."""

    def authenticate(self, request: Request) -> tuple[KeyhaltUser, Principal]:
        principal = principal_of(request._request)  # noqa: SLF001 - as REST framework's own do
        return KeyhaltUser(principal), principal

    def authenticate_header(self, request: Request) -> str:
        del request
        return f'ApiKey header="{KEY_HEADER_NAME}"'


class HasPermission(BasePermission):  # type: ignore[misc]
    """`HasPermission("orders.view")` stands where REST framework expects a class."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self) -> HasPermission:
        return self

    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ANN401
        del view
        check(request._request, self._name)  # noqa: SLF001
        return True
