"""TicketHub with one address more, whose view does nothing. `python -m tickethub.server bare:application` serves it.

What it costs no request can do without: the server, the middleware, Django REST framework, and the check of the token.
"""

from tickethub.asgi import application

# isort: split
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from tickethub import urls

__all__ = ["application"]


class Nothing(APIView):
    def get(self, request):
        return Response({})


urls.api.append(path("nothing/", Nothing.as_view()))
