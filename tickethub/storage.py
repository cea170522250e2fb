"""Static files in production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):
    """With hashes in the names, also where JavaScript modules import each other."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 20  # one for each level of imports
