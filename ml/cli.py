"""The command line: predict needs only the serving install, training the extra train."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from ml.bundle import ReleaseError, current_release
from ml.imaging.decode import PICTURE_PX, decode
from ml.imaging.radiograph import Limits
from ml.imaging.render import encode_png
from ml.read import Reader, load_reader
from ml.refusal import Refusal
from ml.runtime import BACKENDS

USAGE, NO_RELEASE = 2, 3  # exit statuses besides 0
MAPS = ("attention", "unet", "reversed_ae", "boxes", "anatomy")
KEYS = (
    "file", "status", "reason", "quality", "findings", "top3", "abnormal", "lesions", "anomaly",
    "anatomy", "timings_ms", "release",
)  # fmt: skip
CHILD_KEYS = (*KEYS, "pneumonia")
MEASURED_APART = ("robustness", "yardstick", "children", "hours")
NETWORKS = ("classifier", "detector", "unet", "reversed_ae", "anatomy", "gate", "paediatric")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(
        prog="python -m ml",
        description="Read frontal chest radiographs, and train, measure and export the networks.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_train(commands)
    _add_measuring(commands)
    _add_speed(commands)
    return parser


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        help="read films and write one JSON object per film",
        description="Read films (PNG, JPEG, WebP, TIFF, DICOM) and write one JSON object per film, "
        "in order. A film that can't be read gets a line with its reason and stops nothing. "
        f"Exit status: 0 when every film has its line, {USAGE} for wrong usage, "
        f"{NO_RELEASE} when the release can't be loaded.",
    )
    predict.add_argument("files", nargs="+", metavar="FILE")
    predict.add_argument("--out", type=Path, metavar="FILE.jsonl", help="default: standard output")
    predict.add_argument(
        "--maps", type=Path, metavar="DIR", help=f"also write <stem>.<kind>.png: {', '.join(MAPS)}"
    )
    predict.add_argument(
        "--backend",
        choices=BACKENDS,
        default="openvino",
        help="engine; torch needs the training checkpoints under var/ (default: openvino)",
    )
    predict.add_argument("--release", metavar="NAME", help="default: the newest")
    predict.add_argument(
        "--reader",
        choices=("paediatric",),
        help="ask the reader of children's films as well: adds the key pneumonia and, with --maps, "
        "the map pneumonia",
    )
    predict.set_defaults(run=predict_files)


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="train one network",
        description="Train one network on films in any of the layouts that docs/training.md names. "
        "Checkpoints go to var/checkpoints; a run that was cut off goes on from the last one.",
    )
    train.add_argument(
        "network", choices=(*NETWORKS, "anomaly"), help="anomaly: unet, then reversed_ae"
    )
    train.add_argument(
        "--config", type=Path, help="TOML file (default: ml/training/configs/<network>.toml)"
    )
    train.add_argument("--data", type=Path, help="folder of films (default: $XRAYDX_SHARED)")
    train.add_argument(
        "--ablation",
        metavar="NAME",
        help="measure one change of ml/training/ablation at the fixed budget, or all of them",
    )
    train.add_argument("--minutes", type=float, help="end the schedule within this time")
    train.add_argument("--threads", type=int, default=2, help="default: 2")
    train.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="auto: a GPU where torch sees one, else the CPU (default)",
    )
    train.set_defaults(run=_run_training_command)


def _add_measuring(commands: Any) -> None:
    texts = {
        "evaluate": "measure the exported network on the test films and print the figures",
        "export": "export the trained network as a new version, or bind all into a release",
        "calibrate": "fit calibration and operating points again, without training",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        more = {"evaluate": ("release", *MEASURED_APART), "export": ("release",)}.get(name, ())
        command.add_argument(
            "network",
            choices=(*NETWORKS, "anomaly", *more),
            nargs="?" if name == "evaluate" else None,
            default="release" if name == "evaluate" else None,
            help="release: all of them, with table, curves and page (default); robustness: on "
            "altered films; yardstick: the classifier's features as an anomaly network; children: "
            "every trained reader of children's films on the same films; hours: how fast trainings "
            "are"
            if name == "evaluate"
            else None,
        )
        command.add_argument("--data", type=Path, help="folder of films (default: $XRAYDX_SHARED)")
        command.add_argument(
            "--version",
            required=name != "evaluate",
            help="name of the new version, for example 2026.11.21"
            + ("; its graph stays, what was measured is new" if name == "evaluate" else ""),
        )
        if name == "export":
            command.add_argument(
                "--checkpoint",
                type=Path,
                nargs="+",
                help="of the classifier's members, the one of the whole film first (default: the "
                "best of the runs classifier_320 and classifier_lungs)",
            )
        command.set_defaults(run=_run_training_command)


def _add_speed(commands: Any) -> None:
    speed = commands.add_parser(
        "speed",
        help="time the release on this machine, stage by stage",
        description="Read one decoded film of 1024 x 1024 pixels again and again on one thread, "
        "and print the median of every stage, memory, and the size of the release on disk.",
    )
    speed.add_argument("file", nargs="?", metavar="FILE", help="default: a drawn film")
    speed.add_argument("--rounds", type=int, default=30, help="readings (default: 30)")
    speed.add_argument("--release", metavar="NAME", help="default: the newest")
    speed.add_argument("--store", type=Path, metavar="FILE", help="also write the figures as JSON")
    speed.set_defaults(run=time_release)


def time_release(arguments: argparse.Namespace) -> int:
    """Print how long the release takes; returns the exit status."""
    from ml.imaging.synthetic import GeneratorError, sample_film
    from ml.speed import lines_of, measure_speed

    try:
        if arguments.file is None:
            picture = np.rint(sample_film(1) * 255).astype(np.uint8)
            film = decode(encode_png(picture))
        else:
            film = decode(load_bytes(Path(arguments.file)))
        reader = load_reader(arguments.release, threads=1)
    except ReleaseError as error:
        print(f"the release can't be loaded: {error}", file=sys.stderr)
        return NO_RELEASE
    except (GeneratorError, OSError, Refusal) as error:
        print(f"no film to read: {error}", file=sys.stderr)
        return USAGE
    speed = measure_speed(reader, film, rounds=max(2, arguments.rounds))
    print("\n".join(lines_of(speed)))
    if arguments.store is not None:
        said = {"release": reader.release.name, **asdict(speed)}
        arguments.store.write_text(json.dumps(said, indent=1) + "\n")
    return 0


def _run_training_command(arguments: argparse.Namespace) -> int:
    try:
        run: Any = importlib.import_module("ml.training.run")
        status: int = run.main(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("torch", "timm", "ultralytics", "tqdm"):
            raise
        print(f"{error.name} is missing: install the extra with pip install '.[train]' "
              "as docs/training.md says", file=sys.stderr)  # fmt: skip
        return USAGE
    return status


def predict_files(arguments: argparse.Namespace) -> int:
    """Read every file and write its line; returns the exit status."""
    try:
        if arguments.maps is not None:
            arguments.maps.mkdir(parents=True, exist_ok=True)
        with _opened(arguments.out) as out:
            return _predict_to(out, arguments)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"can't write: {error}", file=sys.stderr)
        return USAGE


def _predict_to(out: IO[str], arguments: argparse.Namespace) -> int:
    try:
        current_release(arguments.release)
        with redirect_stdout(sys.stderr):  # training libraries greet on standard output
            reader = load_reader(arguments.release, backend=arguments.backend)
    except ReleaseError as error:
        print(f"the release can't be loaded: {error}", file=sys.stderr)
        return NO_RELEASE
    child = arguments.reader == "paediatric"
    if child and reader.release.child_point is None:
        print(f"release {reader.release.name} has no reader of children's films", file=sys.stderr)
        return NO_RELEASE
    stems = unique_stems(arguments.files)
    for number, (file, stem) in enumerate(zip(arguments.files, stems, strict=True), 1):
        line = read_file(reader, file, stem=stem, maps=arguments.maps, child=child)
        out.write(json.dumps(line) + "\n")
        out.flush()
        print(f"{number}/{len(stems)} {file}: {line['reason'] or 'read'}", file=sys.stderr)
    return 0


def read_file(
    reader: Reader, file: str, *, stem: str, maps: Path | None, child: bool = False
) -> dict[str, Any]:
    """Read one file.

    child: ask the reader of children's films as well; the line then has CHILD_KEYS
    returns: its line, with all KEYS; all but the first three are None when refused
    """
    keys = CHILD_KEYS if child else KEYS
    try:
        film = decode(load_bytes(Path(file)), longest=PICTURE_PX)
        reading = reader.read(film, child=child)
        if reading.status == "refused":
            return _refused(file, str(reading.reason), keys)
        if maps is not None:
            pictures = reader.pictures(film, reading)
            for kind in (*MAPS, "pneumonia") if child else MAPS:
                (maps / f"{stem}.{kind}.png").write_bytes(pictures[kind])
    except Refusal as refusal:
        return _refused(file, refusal.code, keys)
    except FileNotFoundError:
        return _refused(file, "missing", keys)
    except OSError as error:
        if maps is not None and error.filename and Path(str(error.filename)).parent == maps:
            raise
        return _refused(file, "unreadable", keys)
    except Exception:  # a fault of ours must not stop the films after it
        traceback.print_exc(file=sys.stderr)
        return _refused(file, "fault", keys)
    said = {"file": file, **reading.to_json()}
    return {key: said[key] for key in keys}


def load_bytes(path: Path) -> bytes:
    """Read a file, unless it is larger than any film may be.

    raises: Refusal(too_large), OSError
    """
    limit = Limits().file_bytes
    if path.stat().st_size > limit:
        raise Refusal("too_large", limit_bytes=limit)
    return path.read_bytes()


def _refused(file: str, reason: str, keys: Sequence[str]) -> dict[str, Any]:
    return {**dict.fromkeys(keys), "file": file, "status": "refused", "reason": reason}


def unique_stems(files: Sequence[str]) -> list[str]:
    """Names for the maps of every file: its stem, then stem-2, stem-3 for equal ones."""
    taken: set[str] = set()
    stems = []
    for file in files:
        stem = wanted = Path(file).stem or "film"
        count = 1
        while stem in taken:
            count += 1
            stem = f"{wanted}-{count}"
        taken.add(stem)
        stems.append(stem)
    return stems


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8") as file:
        yield file


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = build_parser().parse_args(argv)
    status: int = arguments.run(arguments)
    return status
