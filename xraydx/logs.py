"""Log lines: one JSON object each in production, readable ones in development.

No record may hold a patient's data: messages are constant texts, and values go into `extra`
under names that are listed here. Everything else that a record carries is left out.
"""

import json
import logging
import threading
import traceback
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger("xraydx.threads")

# Ids, codes and measures only.
FIELDS = (
    "analysis", "attempt", "code", "film", "incident", "method", "ms", "name", "path", "pid",
    "reason", "release", "request", "route", "stage", "state", "status", "user", "worker",
)  # fmt: skip


def _values(record: logging.LogRecord) -> dict[str, Any]:
    return {key: getattr(record, key) for key in FIELDS if key in record.__dict__ and key != "name"}


def describe_traceback(info: Any) -> list[str]:
    """The calls that led to an error, without its text: that may quote what a person typed."""
    kind, _, trace = info
    lines = [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)
    ]
    return [*lines, kind.__name__ if kind else ""]


def take_what_libraries_print() -> None:
    """Turn warnings, and errors that end a thread, into log records like all others."""
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_error


def _log_thread_error(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit or ended.exc_value is None:
        return
    info = (ended.exc_type, ended.exc_value, ended.exc_traceback)
    log.critical("a thread ended by an error", exc_info=info)


class JsonFormatter(logging.Formatter):
    """One object a line: at, level, logger, message, and the listed values."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_values(record),
        }
        if record.exc_info and record.exc_info[0]:
            line["trace"] = describe_traceback(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """The same, for eyes."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        values = " ".join(f"{key}={value}" for key, value in _values(record).items())
        text = (
            f"{moment} {record.levelname:<7} {record.name}: {record.getMessage()} {values}".rstrip()
        )
        if record.exc_info and record.exc_info[0]:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info))
        return text
