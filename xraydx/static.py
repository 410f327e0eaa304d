"""Static files under names that change with their contents."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ManifestStorage(CompressedManifestStaticFilesStorage):
    """Rewrites imports between ES modules too."""

    support_js_module_import_aggregation = True
