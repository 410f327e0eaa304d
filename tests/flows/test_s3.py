"""Films on S3-compatible storage: a real server, another installation, the whole path."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from ml.imaging.synthetic import sample_film
from ml.imaging.write import to_png
from tests.flows.program import Program, make_token
from tests.flows.supervised import ROOT, Installation, free_port, installation, wait_for

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]
BUCKET, PREFIX = "films", "er/one"
KEY, SECRET = "key-of-the-test", "secret-of-the-test"

ERASE = """
from accounts.models import User
from diagnosis import removal, services
from diagnosis.models import Film
film, by = Film.objects.get(id="{film}"), User.objects.get(username="admin")
services.delete_film(film=film, by=by)
film.refresh_from_db()
removal.erase_film(film=film, by=by)
"""


@dataclass
class Bucket:
    """A server that speaks S3, and a client that looks past the application."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    @property
    def place(self) -> str:
        return f"s3://{BUCKET}/{PREFIX}?endpoint=http://127.0.0.1:{self.port}&region=us-east-1"

    def keys(self) -> list[str]:
        return [
            row["Key"] for row in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        ]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        made = Bucket(port, process)
        wait_for(lambda: _answers(port), seconds=60)
        made.client.create_bucket(Bucket=BUCKET)
        yield made
        process.terminate()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def running(bucket: Bucket) -> Iterator[Installation]:
    with installation() as one:
        one.start(XRAYDX_STORAGE=bucket.place, XRAYDX_S3_KEY=KEY, XRAYDX_S3_SECRET=SECRET)
        wait_for(lambda: one.answers("/readyz"), seconds=180)
        yield one


def fetch(address: str, token: str = "") -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        asked = urllib.request.Request(address, headers=headers)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def test_a_film_goes_through_the_bucket_and_out_of_it(
    running: Installation, bucket: Bucket
) -> None:
    program = Program(f"http://127.0.0.1:{running.port}", make_token(running))
    film = to_png(sample_film(5, 1024))
    status, found = program.send_film(program.open_visit(), film, Prefer="wait=30")
    assert (status, found["status"]) == (200, "succeeded")

    keys = bucket.keys()
    assert all(key.startswith(f"{PREFIX}/") for key in keys)
    originals = [key for key in keys if key.startswith(f"{PREFIX}/films/")]
    assert len(originals) == 1
    assert bucket.client.get_object(Bucket=BUCKET, Key=originals[0])["Body"].read() == film
    assert not list((running.var / "films").rglob("*.png"))

    for address in found["images"].values():
        status, picture = fetch(address, program.token)
        assert status == 200
        assert picture.startswith(b"\x89PNG")
        assert fetch(address)[0] == 401

    environment = running.environment(
        XRAYDX_STORAGE=bucket.place, XRAYDX_S3_KEY=KEY, XRAYDX_S3_SECRET=SECRET
    )
    erase = [sys.executable, "manage.py", "shell", "-v0", "-c", ERASE.format(film=found["film"])]
    subprocess.run(erase, cwd=ROOT, env=environment, check=True, timeout=90)
    assert bucket.keys() == []


def test_a_bucket_that_is_gone_is_told_and_nothing_is_filed(
    running: Installation, bucket: Bucket
) -> None:
    program = Program(f"http://127.0.0.1:{running.port}", make_token(running))
    visit = program.open_visit()
    bucket.client.delete_bucket(Bucket=BUCKET)
    try:
        wait_for(lambda: running.status_of("/readyz") == 503, seconds=60)
        status, problem = program.send_film(visit, to_png(sample_film(6, 1024)))
        assert (status, problem["code"]) == (503, "film_not_stored")
        assert program.send("GET", f"visits/{visit}/films/")[1]["results"] == []
    finally:
        bucket.client.create_bucket(Bucket=BUCKET)
    wait_for(lambda: running.answers("/readyz"), seconds=60)
