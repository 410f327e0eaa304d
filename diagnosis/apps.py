"""Registers the diagnosis application, its checks and its eraser."""

from django.apps import AppConfig


class DiagnosisConfig(AppConfig):
    name = "diagnosis"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Diagnosis"

    def ready(self) -> None:
        from patients import hooks

        from . import checks, records, services  # noqa: F401

        hooks.before_erase.append(services.erase_films_of)
        hooks.on_merge.append(records.file_under)
        hooks.on_unmerge.append(records.file_back)
        hooks.exporters.append(records.export_films)
