"""Films and analyses for programs: parse, call one service or selector, render."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts.requests import user_of
from patients.selectors import visit_for
from xraydx.errors import UserError

from . import selectors, services
from .api_serializers import (
    AnalysisPage,
    AnalysisSerializer,
    FilmPage,
    FilmSerializer,
    MoveForm,
    UploadForm,
)
from .models import Analysis
from .states import Status

LONGEST_WAIT_S = 30
PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="wait=N, N ≤ 30: answer once it is final"
)
CURSOR = OpenApiParameter("cursor", str, description="from `next` or `previous`")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": services.KEY_LENGTH, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Sent again with the same key, the same upload is answered, not repeated.",
)


class FilmPages(CursorPagination):
    """Films by cursor, newest first."""

    ordering = ("-uploaded_at", "id")
    page_size = 50


class SincePages(CursorPagination):
    """Rows by cursor: the latest by `moment` first, or, from `since` on, in its order."""

    moment: str
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """What `since` lists grows at its end while it is being read."""
        if request.query_params.get("since"):
            return (self.moment, "id")
        return (f"-{self.moment}", "-id")


class AnalysisPages(SincePages):
    """Analyses in the order of their last change."""

    moment = "updated_at"


class QuotaHandler(FileUploadHandler):
    """Drops the rest of a file that is larger than a film, instead of storing it."""

    def __init__(self) -> None:
        super().__init__()
        self.exceeded = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A further file starts at nought."""
        super().new_file(*args, **kwargs)
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the chunk on to the handlers that store it."""
        self._received += len(raw_data)
        if self._received > settings.UPLOAD_MAX_BYTES:
            self.exceeded = True
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that stored it."""


class VisitFilmsView(APIView):
    """The films of a visit."""

    parser_classes = [MultiPartParser]

    @extend_schema(parameters=[CURSOR], responses=FilmPage, operation_id="films_list")
    def get(self, request: Request, visit_id: UUID) -> Response:
        """List the films of the visit, newest first."""
        visit = visit_for(user_of(request), visit_id)
        return page_response(
            FilmPages(),
            services.list_films(visit=visit, by=user_of(request)),
            FilmSerializer,
            request,
            self,
        )

    @extend_schema(
        request={"multipart/form-data": UploadForm},
        parameters=[PREFER, IDEMPOTENCY_KEY],
        responses={200: AnalysisSerializer, 202: AnalysisSerializer},
        operation_id="films_upload",
    )
    def post(self, request: Request, visit_id: UUID) -> Response:
        """File a film under the visit and have it read."""
        visit = visit_for(user_of(request), visit_id)
        quota = QuotaHandler()
        request._request.upload_handlers.insert(0, quota)
        file = request.FILES.get("file")
        if quota.exceeded:
            raise UserError("too_large", field="file")
        if file is None:
            raise UserError("file_missing", field="file")
        asked = {**request.query_params.dict(), **request.POST.dict()}
        added = services.add_film(
            visit=visit,
            file=file,
            by=user_of(request),
            confirm_patient=asked.get("confirm_patient", "").lower() in {"true", "1"},
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return _awaited(request, added.analysis)


class FilmView(APIView):
    """One film."""

    @extend_schema(responses=FilmSerializer, operation_id="films_retrieve")
    def get(self, request: Request, film_id: UUID) -> Response:
        """Say what is known of the film."""
        film = services.view_film(film_id=film_id, by=user_of(request))
        return Response(FilmSerializer(film, context={"request": request}).data)

    @extend_schema(responses={204: None}, operation_id="films_delete")
    def delete(self, request: Request, film_id: UUID) -> Response:
        """Take the film out of the history."""
        services.delete_film(
            film=selectors.film_for(user_of(request), film_id), by=user_of(request)
        )
        return Response(status=204)


class FilmAnalysesView(APIView):
    """Reading a film again."""

    @extend_schema(
        request=None,
        parameters=[PREFER],
        responses={200: AnalysisSerializer, 201: AnalysisSerializer},
        operation_id="analyses_create",
    )
    def post(self, request: Request, film_id: UUID) -> Response:
        """Have the film read by the present release; one that waits or runs is answered (200)."""
        film = selectors.film_for(user_of(request), film_id)
        analysis, created = services.request_analysis(film=film, by=user_of(request))
        response = _awaited(request, analysis)
        response.status_code = 201 if created else 200
        return response


class FilmMoveView(APIView):
    """Filing a film elsewhere."""

    parser_classes = [JSONParser]

    @extend_schema(request=MoveForm, responses=FilmSerializer, operation_id="films_move")
    def post(self, request: Request, film_id: UUID) -> Response:
        """Move the film to another visit, of the same or another patient."""
        film = selectors.film_for(user_of(request), film_id)
        form = MoveForm(data=request.data)
        form.is_valid(raise_exception=True)
        visit = visit_for(user_of(request), form.validated_data["visit"])
        reason = form.validated_data["reason"]
        services.move_film(film=film, visit=visit, reason=reason, by=user_of(request))
        moved = selectors.film_for(user_of(request), film_id)
        return Response(FilmSerializer(moved, context={"request": request}).data)


class AnalysesView(APIView):
    """All analyses that the token may see."""

    @extend_schema(
        parameters=[
            OpenApiParameter("status", str, enum=Status.values),
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="by updated_at"),
            CURSOR,
            OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 200}),
        ],
        responses=AnalysisPage,
        operation_id="analyses_list",
    )
    def get(self, request: Request) -> Response:
        """List analyses by status and by when they last changed."""
        found = services.list_analyses(
            by=user_of(request),
            status=request.query_params.get("status"),
            since=since_of(request.query_params.get("since")),
        )
        return page_response(AnalysisPages(), found, AnalysisSerializer, request, self)


class AnalysisView(APIView):
    """One analysis."""

    @extend_schema(
        parameters=[PREFER], responses=AnalysisSerializer, operation_id="analyses_retrieve"
    )
    def get(self, request: Request, analysis_id: UUID) -> Response:
        """Say how the reading stands and what it found; Prefer: wait=N waits for the end."""
        analysis = selectors.analysis_for(user_of(request), analysis_id)
        selectors.wait_until_final(analysis.id, _wait_s(request) or 0)
        analysis = services.view_analysis(analysis_id=analysis_id, by=user_of(request))
        return Response(AnalysisSerializer(analysis, context={"request": request}).data)


class AnalysisCancelView(APIView):
    """Stopping an analysis."""

    @extend_schema(request=None, responses=AnalysisSerializer, operation_id="analyses_cancel")
    def post(self, request: Request, analysis_id: UUID) -> Response:
        """Stop the analysis while it waits or runs."""
        analysis = selectors.analysis_for(user_of(request), analysis_id)
        services.cancel_analysis(analysis=analysis, by=user_of(request))
        analysis = selectors.analysis_for(user_of(request), analysis_id)
        return Response(AnalysisSerializer(analysis, context={"request": request}).data)


class ImageView(APIView):
    """A stored picture of an analysis."""

    @extend_schema(
        responses={(200, "image/png"): OpenApiResponse(OpenApiTypes.BINARY)},
        operation_id="analyses_image",
    )
    def get(self, request: Request, analysis_id: UUID, name: str) -> HttpResponse:
        """Send the PNG."""
        picture = services.view_image(analysis_id=analysis_id, name=name, by=user_of(request))
        response = HttpResponse(picture, content_type="image/png")
        response["Content-Disposition"] = f"inline; filename={name}.png"
        response["Cache-Control"] = "private, no-store"
        return response


def _awaited(request: Request, analysis: Analysis) -> Response:
    """The analysis, once it is final where the caller prefers to wait; else as it stands."""
    wait_s = _wait_s(request)
    final = wait_s is not None and selectors.wait_until_final(analysis.id, wait_s)
    analysis = selectors.analysis_for(user_of(request), analysis.id)
    headers = {"Location": reverse("diagnosis_api:analysis", [analysis.id], request=request)}
    if wait_s is not None:
        headers["Preference-Applied"] = f"wait={wait_s}"
    data = AnalysisSerializer(analysis, context={"request": request}).data
    return Response(data, status=200 if final else 202, headers=headers)


def _wait_s(request: Request) -> int | None:
    """Seconds of Prefer: wait=N (RFC 7240), at most 30; None where it is not asked for."""
    found = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), LONGEST_WAIT_S) if found else None


def since_of(text: str | None) -> datetime | None:
    """The moment that `since` names, None where it is not given. raises: UserError"""
    if not text:
        return None
    try:
        moment = parse_datetime(text.replace(" ", "+"))  # an unescaped + arrives as a space
    except ValueError:
        moment = None
    if moment is None:
        raise UserError("since_invalid", field="since")
    return make_aware(moment) if is_naive(moment) else moment


def page_response(
    pages: CursorPagination, found: Any, serializer: Any, request: Request, view: APIView
) -> Response:
    """One page of what was found, with the addresses of its neighbours."""
    rows: Any = pages.paginate_queryset(found, request, view=view)
    return pages.get_paginated_response(
        serializer(rows, many=True, context={"request": request}).data
    )
