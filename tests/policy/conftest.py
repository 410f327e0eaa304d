"""Fixtures of the tests of the site's rules."""

from tests.diagnosis.conftest import _bells_rest  # noqa: F401
from tests.diagnosis.tiny_release import tiny_release, tiny_weights  # noqa: F401
