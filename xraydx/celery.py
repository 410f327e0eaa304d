"""The bell: a message that carries nothing, and wakes a worker."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xraydx.settings")
# The checks import every page; a worker that serves none would start later and weigh more.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("xraydx")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
