"""The process in which files are opened: it may crash, hang or swell without harm to its parent.

It reads one JSON line per job from standard input, finds the file's bytes in the shared inbox,
leaves the pixels in the shared outbox and answers with one JSON line on the reply pipe. Started by
ml.imaging.sandbox, which says what the lines hold; its output streams are closed, so that no
library's message about a patient's file reaches a log.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import resource
import sys
import warnings
from typing import Any

import numpy as np

from ml.imaging.formats import sniff_format
from ml.imaging.greys import Film
from ml.imaging.radiograph import HEADER, Header, Limits, Radiograph
from ml.refusal import Refusal

# deep enough for pydicom's reading of Limits.nesting levels (about ten calls each)
RECURSION_LIMIT = 600


def serve(inbox: int, outbox: int, replies: int) -> None:
    """Do jobs until standard input ends."""
    _be_quiet()
    _load_libraries()
    _write_all(replies, b'{"ready": true}\n')
    for line in sys.stdin:
        job = json.loads(line)
        limits = Limits(**job["limits"])
        _limit_resources(limits)
        answer = _do_job(job, inbox=inbox, outbox=outbox, limits=limits)
        _write_all(replies, json.dumps(answer).encode() + b"\n")


def _be_quiet() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(RECURSION_LIMIT)


def _load_libraries() -> None:
    """Import what a job needs before the first one comes, so that a warm helper answers at once."""
    import gdcm
    import libjpeg
    import openjpeg
    from PIL import Image

    from ml.imaging import dicom, preprocess, raster, render

    del gdcm, libjpeg, openjpeg, dicom, preprocess, raster, render
    # refused by our own limits, with our own codes
    Image.MAX_IMAGE_PIXELS = None


def _limit_resources(limits: Limits) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.seconds
    _set_limit(resource.RLIMIT_CPU, seconds)
    _set_limit(resource.RLIMIT_AS, limits.memory_bytes)
    _set_limit(resource.RLIMIT_FSIZE, max(4 * limits.pixels, limits.file_bytes))
    _set_limit(resource.RLIMIT_CORE, 0)


def _set_limit(kind: int, amount: int) -> None:
    _, hard = resource.getrlimit(kind)
    within = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(kind, (within, hard))


def _do_job(job: dict[str, Any], *, inbox: int, outbox: int, limits: Limits) -> dict[str, Any]:
    try:
        data = _read_all(inbox, job["size"])
        if job["wanted"] == HEADER:
            return {"header": dataclasses.asdict(_check(data, limits=limits)), "corrections": ()}
        film = _open(data, limits=limits)
        pixels = _shrink(film.pixels, longest=job["wanted"])
        os.ftruncate(outbox, pixels.nbytes)
        _write_at_start(outbox, pixels)
    except Refusal as refusal:
        return {"refusal": refusal.code, "detail": refusal.detail}
    except RecursionError:
        return {"refusal": "nested_too_deep", "detail": {}}
    except MemoryError:
        return {"refusal": "decode_limit", "detail": {"limit": "memory"}, "worn": True}
    except Exception as fault:  # libraries raise anything on hostile bytes; its name is enough
        return {"refusal": "unreadable", "detail": {"fault": type(fault).__name__}}
    return {
        "header": dataclasses.asdict(film.header),
        "corrections": film.corrections,
        "shape": pixels.shape,
    }


def _open(data: bytes, *, limits: Limits) -> Radiograph:
    from ml.imaging.dicom import open_dicom
    from ml.imaging.raster import open_raster

    format = sniff_format(data)
    if format == "dicom":
        return open_dicom(data, limits=limits)
    return open_raster(data, format=format, limits=limits)


def _check(data: bytes, *, limits: Limits) -> Header:
    """Prove that `_open` opens the file, at less cost where that is sure."""
    from ml.imaging.dicom import check_dicom

    if sniff_format(data) == "dicom":
        return check_dicom(data, limits=limits)
    return _open(data, limits=limits).header


def _shrink(pixels: Film, *, longest: int) -> Film:
    """Bring the longer side to so many pixels; ALL_PIXELS, or a smaller film, stays as it is."""
    from ml.imaging.preprocess import resize_area
    from ml.imaging.render import fit_size

    height, width = pixels.shape
    if longest > 0:
        width, height = fit_size(width, height, longest=longest)
    return np.asarray(resize_area(pixels, width=width, height=height))


def _read_all(descriptor: int, size: int) -> bytes:
    data = os.pread(descriptor, size, 0)
    while len(data) < size and (part := os.pread(descriptor, size - len(data), len(data))):
        data += part
    return data


def _write_at_start(descriptor: int, pixels: np.ndarray) -> None:
    view = np.ascontiguousarray(pixels, dtype=np.float32).data.cast("B")
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], done)


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


if __name__ == "__main__":
    serve(*(int(argument) for argument in sys.argv[1:4]))
