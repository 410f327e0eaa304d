"""The bell: a message that carries nothing, and wakes a worker."""

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xraydx.settings")
# The checks import every page; a worker that serves none would start later and weigh more.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

STDOUT = 1


@signals.worker_init.connect
def keep_the_log_to_its_lines(**_: object) -> None:
    """Send away what Celery prints for a person at a terminal; log lines go to standard error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)


app = Celery("xraydx")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
