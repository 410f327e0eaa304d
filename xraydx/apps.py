from django.apps import AppConfig
from django.conf import settings


class XraydxConfig(AppConfig):
    name = "xraydx"

    def ready(self) -> None:
        # The checks register themselves; Celery's application becomes that of diagnosis.tasks.
        from xraydx import celery, checks, logs  # noqa: F401

        if not settings.TESTING:
            logs.take_what_libraries_print()
