from django.apps import AppConfig


class XraydxConfig(AppConfig):
    name = "xraydx"

    def ready(self) -> None:
        # The checks register themselves; Celery's application becomes that of diagnosis.tasks.
        from xraydx import celery, checks  # noqa: F401
