"""django-rest-knox under gunicorn with one process of four threads.

app.py PORT DATABASE FOLDER
"""

from __future__ import annotations

import sys

import contender_django as base

base.configure(sys.argv[2], ["knox"])

import plain
from django.contrib.auth import get_user_model
from django.http import JsonResponse
from knox.auth import TokenAuthentication
from knox.models import AuthToken
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView


class Guarded(APIView):
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, _request: object) -> Response:
        return Response({})


def create() -> dict[str, str]:
    user, _ = get_user_model().objects.get_or_create(username="bench")
    row, text = AuthToken.objects.create(user)
    kinds = (text, plain.other(text), "no-token")
    return plain.made(row.pk, "Authorization", *(f"Token {each}" for each in kinds))


def delete(key_id: str) -> None:
    AuthToken.objects.filter(pk=key_id).delete()


if __name__ == "__main__":
    base.serve(int(sys.argv[1]), Guarded, create, delete, JsonResponse)
