"""Why a film is unfit: an answer to whoever sent it, never a fault of the program."""

from __future__ import annotations

DECODE_CODES = frozenset(
    {
        "empty",
        "too_large",
        "too_many_pixels",
        "too_many_frames",
        "format_not_supported",
        "unreadable",
        "truncated",
        "nested_too_deep",
        "inflates_too_far",
        "no_pixels",
        "decode_limit",
    }
)
"""No decoder opens the file."""

GATE_CODES = frozenset(
    {
        "not_a_chest",
        "lateral",
        "upside_down",
        "cropped",
        "blank",
        "too_small",
        "low_contrast",
    }
)
"""The file opens and shows something that the networks must not read."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A film that will not be read, with the reason as a code.

    code: one of DECODE_CODES or GATE_CODES
    detail: figures and names of limits; never a value from the file that could name a patient
    """

    def __init__(self, code: str, **detail: object) -> None:
        if code not in DECODE_CODES | GATE_CODES:
            raise ValueError(f"unknown refusal code: {code}")
        super().__init__(code)
        self.code = code
        self.detail: dict[str, object] = detail
