"""What is measured and watched, as data: `load` checks files, `apply` and `current` keep versions in the database."""

from common.catalogue.findings import CatalogueInvalid, Finding
from common.catalogue.loading import load
from common.catalogue.models import Catalogue
from common.catalogue.store import apply, current

__all__ = ["Catalogue", "CatalogueInvalid", "Finding", "apply", "current", "load"]
