from django.apps import AppConfig


class XraydxConfig(AppConfig):
    name = "xraydx"

    def ready(self) -> None:
        from xraydx import checks  # noqa: F401  (registers the system checks)
