"""A program of the hospital that talks to an installation through REST."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_png
from tests.flows.supervised import ROOT, Installation

FINAL = {"succeeded", "refused", "failed", "cancelled"}


def make_token(installation: Installation) -> str:
    """A token of the administrator, made by the command that prints it and nothing else."""
    command = [sys.executable, "manage.py", "create_api_token", "admin"]
    command += ["--scope", "read", "--scope", "write"]
    made = subprocess.run(
        command,
        cwd=ROOT,
        env=installation.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(made.stdout.split()) == 1
    return made.stdout.strip()


@dataclass
class Program:
    """A program of the hospital with a token."""

    url: str
    token: str

    def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data, kind = None, "application/json"
        if isinstance(body, SimpleUploadedFile):
            data, kind = encode_multipart(BOUNDARY, {"file": body}), MULTIPART_CONTENT
        elif body is not None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=data,
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind, **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def open_visit(self) -> str:
        """Register an unidentified patient with an urgent visit; returns the visit's id."""
        status, patient = self.send("POST", "patients/", {"family_name": "Unknown", "sex": "U"})
        assert status == 201, patient
        status, visit = self.send(
            "POST",
            f"patients/{patient['id']}/visits/",
            {"triage_level": 2, "area": "Resus", "chief_complaint": "Dyspnoea"},
        )
        assert status == 201, visit
        return str(visit["id"])

    def send_film(self, visit: str, film: bytes, **headers: str) -> tuple[int, Any]:
        """Upload the bytes of a film."""
        file = SimpleUploadedFile("film", film, "application/octet-stream")
        return self.send("POST", f"visits/{visit}/films/", file, **headers)

    def send_sample(self, visit: str, seed: int, **headers: str) -> tuple[int, Any]:
        """Upload a synthetic film."""
        return self.send_film(visit, to_png(sample_film(seed, 512)), **headers)

    def result_of(self, analysis: str, *, seconds: float) -> Any:
        """Ask until the analysis is final."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            _, found = self.send("GET", f"analyses/{analysis}/")
            if found["status"] in FINAL:
                return found
            time.sleep(0.2)
        raise AssertionError(f"not final within {seconds} s: {found['status']}")
