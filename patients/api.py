"""Patients and visits over REST, under the same rules as the pages."""

from typing import Any, TypeVar

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import user_of
from patients import looking, selectors, services
from patients.models import Patient, Visit
from patients.paging import Page
from patients.serializers import (
    ListFilters,
    PatientChangeIn,
    PatientIn,
    PatientOut,
    SearchIn,
    VisitChangeIn,
    VisitIn,
    VisitOut,
)
from xraydx.errors import Conflict

S = TypeVar("S", bound=serializers.BaseSerializer[Any])
PAGE_SIZE = 50
EMPTY_BODY = OpenApiResponse(description="Done; no body.")
CURSOR = OpenApiParameter("cursor", str, description="From next or previous of another page.")
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="ETag that the change is based on."
)


class PatientPage(serializers.Serializer[Any]):
    """One page of patients."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = PatientOut(many=True)


class VisitPage(serializers.Serializer[Any]):
    """One page of visits."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = VisitOut(many=True)


class PatientsView(APIView):
    """The patients whom one may see."""

    @extend_schema(operation_id="patients_list", parameters=[ListFilters], responses=PatientPage)
    def get(self, request: Request) -> Response:
        """List patients, last registered first."""
        asked = _checked(ListFilters(data=request.query_params.dict()))
        page = looking.look_through(
            user_of(request), asked.criteria(), asked.place(), size=PAGE_SIZE
        )
        return _page_response(request, page, PatientOut)

    @extend_schema(operation_id="patients_create", request=PatientIn, responses={201: PatientOut})
    def post(self, request: Request) -> Response:
        """Register a patient; without an MRN a temporary number is issued."""
        asked = _checked(PatientIn(data=request.data))
        patient = services.register_patient(by=user_of(request), **asked.validated_data)
        where = reverse("api_patient", args=[patient.pk])
        return _one(patient, PatientOut, status=201, where=request.build_absolute_uri(where))


class PatientSearchView(APIView):
    """A search, as a POST so that nothing of a patient stands in an address."""

    @extend_schema(
        operation_id="patients_search",
        parameters=[CURSOR],
        request=SearchIn,
        responses={200: PatientPage},
    )
    def post(self, request: Request) -> Response:
        """Find patients by the beginning of a name or MRN, or by birth date."""
        body = request.data if isinstance(request.data, dict) else {"": request.data}
        cursor = {"cursor": c} if (c := request.query_params.get("cursor")) else {}
        asked = _checked(SearchIn(data={**body, **cursor}))
        page = looking.look_through(
            user_of(request), asked.criteria(), asked.place(), size=PAGE_SIZE
        )
        return _page_response(request, page, PatientOut)


class PatientView(APIView):
    """One patient."""

    @extend_schema(operation_id="patients_retrieve", responses=PatientOut)
    def get(self, request: Request, patient_id: str) -> Response:
        """Show a patient."""
        return _one(looking.look_at_patient(user_of(request), patient_id), PatientOut)

    @extend_schema(
        operation_id="patients_update",
        parameters=[IF_MATCH],
        request=PatientChangeIn,
        responses=PatientOut,
    )
    def patch(self, request: Request, patient_id: str) -> Response:
        """Change a patient's data; what it was stays in the history."""
        patient = selectors.patient_for(user_of(request), patient_id)
        asked = _checked(PatientChangeIn(data=request.data, partial=True))
        changes = dict(asked.validated_data)
        version = _version(request, changes.pop("version", None))
        patient = services.edit_patient(
            patient=patient, by=user_of(request), changes=changes, version=version
        )
        return _one(patient, PatientOut)

    @extend_schema(operation_id="patients_delete", responses={204: EMPTY_BODY})
    def delete(self, request: Request, patient_id: str) -> Response:
        """Take a patient out of every list; an administrator can bring them back."""
        patient = selectors.patient_for(user_of(request), patient_id)
        services.delete_patient(patient=patient, by=user_of(request))
        return Response(status=204)


class PatientVisitsView(APIView):
    """A patient's visits."""

    @extend_schema(operation_id="visits_list", parameters=[CURSOR], responses=VisitPage)
    def get(self, request: Request, patient_id: str) -> Response:
        """List a patient's visits, newest first."""
        cursor = request.query_params.get("cursor", "")
        page = looking.look_through_visits(user_of(request), patient_id, cursor, size=PAGE_SIZE)[1]
        return _page_response(request, page, VisitOut)

    @extend_schema(operation_id="visits_create", request=VisitIn, responses={201: VisitOut})
    def post(self, request: Request, patient_id: str) -> Response:
        """Open a visit."""
        patient = selectors.patient_for(user_of(request), patient_id)
        asked = _checked(VisitIn(data=request.data))
        visit = services.open_visit(patient=patient, by=user_of(request), **asked.validated_data)
        where = reverse("api_visit", args=[visit.pk])
        return _one(visit, VisitOut, status=201, where=request.build_absolute_uri(where))


class VisitView(APIView):
    """One visit."""

    @extend_schema(operation_id="visits_retrieve", responses=VisitOut)
    def get(self, request: Request, visit_id: str) -> Response:
        """Show a visit."""
        return _one(looking.look_at_visit(user_of(request), visit_id), VisitOut)

    @extend_schema(
        operation_id="visits_update",
        parameters=[IF_MATCH],
        request=VisitChangeIn,
        responses=VisitOut,
    )
    def patch(self, request: Request, visit_id: str) -> Response:
        """Change a visit, close it or open it again."""
        visit = selectors.visit_for(user_of(request), visit_id)
        asked = _checked(VisitChangeIn(data=request.data, partial=True))
        changes = dict(asked.validated_data)
        version = _version(request, changes.pop("version", None))
        visit = services.amend_visit(
            visit=visit, by=user_of(request), changes=changes, version=version
        )
        return _one(visit, VisitOut)


def _checked(serializer: S) -> S:
    """Return the serializer once its data is valid; raises ValidationError (422)."""
    serializer.is_valid(raise_exception=True)
    return serializer


def _version(request: Request, version: int | None) -> int | None:
    """Return the version that a change is based on, from the body or from If-Match."""
    tag = request.headers.get("If-Match", "").removeprefix("W/").strip('" ')
    if not tag or tag == "*":
        return version
    if not tag.isdecimal():
        raise Conflict("edited_meanwhile")
    return int(tag)


def _one(row: Patient | Visit, out: type[Any], *, status: int = 200, where: str = "") -> Response:
    """Answer with one object, its version as ETag."""
    headers = {"ETag": f'"{row.version}"'} | ({"Location": where} if where else {})
    return Response(out(row).data, status=status, headers=headers)


def _page_response(request: Request, page: Page[Any], out: type[Any]) -> Response:
    """Answer with a page and the addresses of the pages beside it."""
    return Response(
        {
            "next": _address(request, page.next),
            "previous": _address(request, page.previous),
            "results": out(page.rows, many=True).data,
        }
    )


def _address(request: Request, cursor: str) -> str | None:
    """Return this address with another cursor, the other filters kept."""
    if not cursor:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
