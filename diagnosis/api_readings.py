"""Signed readings for programs: read-only, version by version."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import user_of

from . import services
from .api import CURSOR, SincePages, page_response, since_of
from .api_serializers import ReadingPage, ReadingSerializer


class ReadingPages(SincePages):
    """Readings in the order of their signature."""

    moment = "signed_at"


PAGE_SIZE = OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 200})


class ReadingsView(APIView):
    """All signed readings that the token may see."""

    @extend_schema(
        parameters=[
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="by signed_at"),
            CURSOR,
            PAGE_SIZE,
        ],
        responses=ReadingPage,
        operation_id="readings_list",
    )
    def get(self, request: Request) -> Response:
        """List what people signed, every version."""
        since = since_of(request.query_params.get("since"))
        found = services.list_readings(by=user_of(request), since=since)
        return page_response(ReadingPages(), found, ReadingSerializer, request, self)


class AnalysisReadingsView(APIView):
    """The signed readings of one analysis."""

    @extend_schema(
        parameters=[CURSOR, PAGE_SIZE],
        responses=ReadingPage,
        operation_id="analyses_readings",
    )
    def get(self, request: Request, analysis_id: UUID) -> Response:
        """List its versions, the last one first."""
        found = services.view_readings(analysis_id=analysis_id, by=user_of(request))
        return page_response(ReadingPages(), found, ReadingSerializer, request, self)


class ReadingView(APIView):
    """One signed reading."""

    @extend_schema(responses=ReadingSerializer, operation_id="readings_retrieve")
    def get(self, request: Request, reading_id: UUID) -> Response:
        """Say what was signed, by whom and when."""
        reading = services.view_reading(reading_id=reading_id, by=user_of(request))
        return Response(ReadingSerializer(reading, context={"request": request}).data)
