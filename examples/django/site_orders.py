"""Orders behind Django and REST framework, in one file.

Run: python site_orders.py runserver
"""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse

from keyhalt.library import open_verifier


def make_verifier():
    return open_verifier(profile="../orders.toml")


settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["keyhalt.integrations.django.KeyhaltMiddleware"],
    KEYHALT={"verifier": make_verifier, "open_paths": ["/health"]},
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
)

# What follows needs settings: in a project of several files they are there already.
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from keyhalt.integrations.django import principal_of, require  # noqa: E402
from keyhalt.integrations.drf import HasPermission, KeyhaltAuthentication  # noqa: E402


@require("orders.create")
def place(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"createdBy": principal_of(request).user_code})


class Orders(APIView):
    authentication_classes = [KeyhaltAuthentication]
    permission_classes = [HasPermission("orders.view")]

    def get(self, request: Request) -> Response:
        return Response({"readBy": request.user.get_username()})


def orders(request: HttpRequest) -> HttpResponse:
    return Orders.as_view()(request) if request.method == "GET" else place(request)


def health(_request: HttpRequest) -> HttpResponse:
    return JsonResponse("ok", safe=False)


urlpatterns = [path("orders", orders), path("health", health)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
