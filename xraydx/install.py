"""Make a virtual environment and install a lock into it: python3 xraydx/install.py FOLDER LOCK.

Run by `make` before anything is installed, so it uses the standard library alone and a syntax
that old Pythons understand well enough to refuse clearly.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 12)
ROOM_NEEDED_MB = {"serve": 2000, "dev": 2500, "train": 6000}


def main(folder, lock):
    """Bring the environment up to date with requirements/LOCK.txt."""
    python = choose_python()
    requirements = os.path.join("requirements", lock + ".txt")
    stamp = os.path.join(folder, ".installed-" + lock)
    wanted = fingerprint(lock, python)
    if read(stamp) == wanted:
        return
    free_mb = shutil.disk_usage(".").free // 2**20
    if free_mb < ROOM_NEEDED_MB[lock]:
        stop(
            "No room: %d MB are free here, about %d MB are needed. Free some and try again."
            % (free_mb, ROOM_NEEDED_MB[lock])
        )
    inside = os.path.join(folder, "bin", "python")
    if not os.path.exists(inside) or not works(inside):
        shutil.rmtree(folder, ignore_errors=True)
        make_environment(python, folder)
    say("Installing %s into %s; the first time takes a few minutes." % (requirements, folder))
    for arguments in steps(lock, requirements):
        command = [
            inside,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--quiet",
            "--disable-pip-version-check",
        ]
        if subprocess.call(command + arguments) != 0:
            stop(
                "The packages could not be installed (see above). This step alone needs a "
                "network or a package mirror (pip's own settings are used)."
            )
    with open(stamp, "w") as stream:
        stream.write(wanted)


def steps(lock, requirements):
    """pip's arguments, in order. torch comes first and alone, torchvision without dependencies:
    their declared dependencies would pull several GB of GPU libraries.
    """
    if lock != "train":
        return [["-r", requirements]]
    alone = [
        line
        for line in read(requirements).splitlines()
        if line.startswith(("torch==", "torchvision=="))
    ]
    return [
        [next(one for one in alone if one.startswith("torch=="))],
        ["--no-deps", next(one for one in alone if one.startswith("torchvision=="))],
        ["--no-deps", "-r", requirements],
    ]


def choose_python():
    """The first Python of a fitting version; asks for redis-server on newer ones."""
    names = [os.environ.get("PYTHON", ""), sys.executable, "python3.12", "python3.11", "python3"]
    found, newer = [], None
    for name in names:
        path = shutil.which(name) if name else None
        version = version_of(path) if path else None
        if version is None:
            continue
        found.append("%s is %d.%d" % (name, *version))
        if OLDEST <= version <= NEWEST:
            return path
        if version > NEWEST:
            newer = newer or path
    if newer is None:
        stop(
            "xraydx needs Python 3.11 or 3.12 (%s).\n  Install one, or name it: "
            "make PYTHON=/path/to/python3.12 run" % "; ".join(sorted(set(found)))
        )
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        stop(
            "This Python is newer than 3.12 (%s), and no Redis comes as a wheel for it.\n"
            "  Install redis-server or valkey-server 7 or later (Debian: apt-get install "
            "redis-server),\n  or Python 3.11 or 3.12." % newer
        )
    return newer


def version_of(path):
    """Major and minor version of a Python, or None where it does not run."""
    code = "import sys; print('%d %d' % sys.version_info[:2])"
    try:
        answer = subprocess.check_output([path, "-c", code], stderr=subprocess.DEVNULL)
        return tuple(int(part) for part in answer.split())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def works(python):
    """Whether an environment's Python still runs: its base may have been removed."""
    return subprocess.call([python, "-c", "import pip"], stderr=subprocess.DEVNULL) == 0


def make_environment(python, folder):
    """Make the environment, or say what Debian leaves out."""
    made = subprocess.call([python, "-m", "venv", folder])
    if made == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    version = "%d.%d" % version_of(python)
    stop(
        "This Python can't make virtual environments. On Debian and Ubuntu:\n"
        "  sudo apt-get install python%s-venv" % version
    )


def fingerprint(lock, python):
    """What the stamp must hold: the lock's contents and the Python."""
    text = read(os.path.join("requirements", lock + ".txt")) + str(version_of(python))
    return hashlib.sha256(text.encode()).hexdigest()


def read(path):
    """A file's text, empty where there is none."""
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""


def say(text):
    """Tell the person at the terminal."""
    sys.stderr.write("xraydx: %s\n" % text)


def stop(text):
    """Tell why it can't go on, and end."""
    say(text)
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
