"""djangorestframework-api-key under gunicorn with one process of four threads.

app.py PORT DATABASE FOLDER
"""

from __future__ import annotations

import sys

import contender_django as base

base.configure(sys.argv[2], ["rest_framework_api_key"])

import plain
from django.http import JsonResponse
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_api_key.models import APIKey
from rest_framework_api_key.permissions import HasAPIKey


class Guarded(APIView):
    permission_classes = (HasAPIKey,)
    authentication_classes = ()

    def get(self, _request: object) -> Response:
        return Response({})


def create() -> dict[str, str]:
    row, text = APIKey.objects.create_key(name="bench")
    kinds = (text, plain.other(text), "no-key")
    return plain.made(row.prefix, "Authorization", *(f"Api-Key {each}" for each in kinds))


def delete(key_id: str) -> None:
    """As its documents say: a key is revoked."""
    row = APIKey.objects.get(prefix=key_id)
    row.revoked = True
    row.save()


if __name__ == "__main__":
    base.serve(int(sys.argv[1]), Guarded, create, delete, JsonResponse)
