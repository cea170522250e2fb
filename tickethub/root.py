"""The root of the API: what there is, and the description from which clients are made."""

from django.urls import URLResolver, reverse
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import SessionTokenAuthentication
from tickethub.filters import refuse_unknown
from tickethub.schema import VERSION, are_public, info, may_read


class OutsideTheDescription(APIView):
    schema = None

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        refuse_unknown(request.query_params, ())


class RootView(OutsideTheDescription):
    """What there is: each address that has no id in it, and where to read on. It is the same for everybody."""

    authentication_classes = []
    permission_classes = [AllowAny]
    patterns = ()  # of the API

    def get(self, request):
        at = request.build_absolute_uri
        return Response(
            {
                "name": info["title"],
                "version": VERSION,
                "resources": {route.rstrip("/"): at(request.path + route) for route in routes(self.patterns)},
                "websocket": at("/ws/v1/").replace("http", "ws", 1),
                "documentation": {
                    "swagger": at(reverse("swagger")),
                    "redoc": at(reverse("redoc")),
                    "openapi": at(reverse("openapi")),
                },
            }
        )


def routes(patterns):
    """The routes below the root without a parameter, in the order of the URLconf."""
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns)
        elif "<" not in (route := str(each.pattern)):
            yield route


class MayReadDescription(BasePermission):
    def has_permission(self, request, view):
        return may_read(request.user)


class DescriptionView(OutsideTheDescription):
    """The description by OpenAPI 3.1. Where it is for staff alone, they come with a token, or from the admin."""

    authentication_classes = [SessionTokenAuthentication, SessionAuthentication]
    permission_classes = [MayReadDescription]

    def get_authenticators(self):
        return [] if are_public() else super().get_authenticators()

    def get(self, request):
        from tickethub.openapi import document  # a server starts sooner without

        return Response(document())
