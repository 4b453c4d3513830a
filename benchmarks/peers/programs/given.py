"""What every program is told by its environment."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Given:
    """`state` is a directory of the program's own; `group` is unused before."""

    bootstrap: str
    topic: str
    database_url: str
    group: str
    state: Path

    def environment(self) -> dict[str, str]:
        return {
            "PEER_BOOTSTRAP": self.bootstrap,
            "PEER_TOPIC": self.topic,
            "PEER_DATABASE_URL": self.database_url,
            "PEER_GROUP": self.group,
            "PEER_STATE": str(self.state),
        }


def given() -> Given:
    told = os.environ
    return Given(
        told["PEER_BOOTSTRAP"],
        told["PEER_TOPIC"],
        told["PEER_DATABASE_URL"],
        told["PEER_GROUP"],
        Path(told["PEER_STATE"]),
    )
