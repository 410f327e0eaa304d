"""Fixtures of the tests of the worklist."""

from tests.diagnosis.conftest import _bells_rest  # noqa: F401
