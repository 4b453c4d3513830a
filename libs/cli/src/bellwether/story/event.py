"""One thing that happens in the story, and how it looks on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import msgspec

# Which system of the simulated company sends which kind of event; the rest comes from its product.
_SOURCES: Final = MappingProxyType(
    {
        "account": "crm",
        "activity": "crm",
        "onboarding": "crm",
        "subscription": "billing",
        "invoice": "billing",
        "complaint": "support",
        "ticket": "support",
        "survey": "surveys",
    }
)


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """`at` is aware and in UTC, whole seconds. `id` is unique in its world."""

    at: datetime
    id: str
    type: str
    account: str
    data: Mapping[str, object]

    @property
    def order(self) -> tuple[datetime, str]:
        return (self.at, self.id)

    def body(self) -> bytes:
        """A CloudEvent in JSON."""
        source = _SOURCES.get(self.type.split(".", 1)[0], "product")
        return msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": f"/story/{source}",
                "type": self.type,
                "time": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                "subject": self.account,
                "data": self.data,
            }
        )
