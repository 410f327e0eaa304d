"""Gunicorn's configuration; its names are gunicorn's own."""

import os
from pathlib import Path

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xraydx.settings")
_host, _port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
bind = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"
certfile = os.environ.get("XRAYDX_TLS_CERT") or None
keyfile = os.environ.get("XRAYDX_TLS_KEY") or None
workers = int(os.environ.get("XRAYDX_WEB_PROCESSES", "2"))
# A program that waits for its result holds a thread for up to 30 s.
threads = int(os.environ.get("XRAYDX_WEB_THREADS", "16"))
worker_class = "gthread"
timeout = 120
graceful_timeout = 6
keepalive = 5
preload_app = True
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# Our middleware writes the access log, without query strings.
accesslog = None
_form = "Text" if settings.LOG_FORMAT == "text" else "Json"
# Gunicorn's own words are log lines like all others.
_own = {"level": "WARNING", "handlers": ["stderr"], "propagate": False}
logconfig_dict = {
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {**_own, "qualname": "gunicorn.error"},
        "gunicorn.access": {**_own, "qualname": "gunicorn.access"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "formatters": {"ours": {"()": f"xraydx.logs.{_form}Formatter"}},
}
control_socket_disable = True
# Forwarded headers are judged by our middleware alone (TRUSTED_PROXIES).
forwarded_allow_ips = ""
proc_name = "xraydx-web"

# Counts of all web processes meet in this folder, emptied at each start.
_var = os.environ.get("XRAYDX_VAR", "var")
_shared = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", f"{_var}/metrics")).resolve()
_shared.mkdir(mode=0o700, parents=True, exist_ok=True)
for _file in _shared.glob("*.db"):
    _file.unlink()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_shared)


def child_exit(server: object, worker: object) -> None:
    """Forget the gauges of a web process that ended."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined]
