"""From a file's bytes to a film: the one door through which every picture enters."""

from __future__ import annotations

from ml.imaging.radiograph import Header, Limits, Radiograph

__all__ = ["DEFAULT_LIMITS", "Header", "Limits", "Radiograph", "decode", "read_header"]

DEFAULT_LIMITS = Limits()


def read_header(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Prove that the bytes are a film that `decode` opens, and say what the file tells of it.

    raises: Refusal with one of DECODE_CODES
    """
    raise NotImplementedError


def decode(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Radiograph:
    """Open a film: pixels as grey in 0..1, upright, with what the file tells of it.

    raises: Refusal with one of DECODE_CODES
    """
    raise NotImplementedError
