"""Addresses that only the tests of accounts.rest know."""

from django.urls import path
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Echo(APIView):
    """Says who called."""

    parser_classes = (JSONParser, MultiPartParser)

    def get(self, request: Request) -> Response:
        return Response({"username": request.user.username})

    post = get


urlpatterns = [
    path("api/v1/things/", Echo.as_view()),
    path("api/v1/things/search/", Echo.as_view()),
]
