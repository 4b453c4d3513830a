"""Where annotations are kept."""

from collections.abc import Sequence
from typing import Protocol

from api_gateway.domain.annotations import Annotation, AnnotationsQuery


class AnnotationStore(Protocol):
    """Bound to one tenant; another tenant's annotation is NotFound. Raises Unavailable when the database doesn't answer."""

    def add(self, tenant_id: int, annotation: Annotation) -> None: ...

    def list(self, tenant_id: int, query: AnnotationsQuery) -> Sequence[Annotation]:
        """One page, the latest start first; one more than `limit` where there are more. Those of everybody concern any account."""
        ...

    def remove(self, tenant_id: int, annotation_id: str) -> None:
        """Forget it; raises NotFound (`annotation-unknown`)."""
        ...
