"""What every installation needs once, and what does no harm when it is done again."""

from collections.abc import Callable
from pathlib import Path

import psycopg

from bellwether.stack.keys import TENANT, ensure_keys
from bellwether.stack.layout import Backing
from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.catalogue.store import current_version
from common.db.migrate import migrate
from common.db.session import OPTIONS
from common.streams.topics import ensure_topics


def prepare(backing: Backing, keys_path: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Tables, topics, the tenant `default`, its four keys, and the base catalogue where the tenant has none of its own.

    Returns the keys by scope; they are the same as before as long as the file at `keys_path` is.
    """
    done = migrate(backing.database_url)
    if done:
        say(f"Migrated the database to {done[-1].version:04d}")
    ensure_topics(backing.kafka, backing.events_topic, backing.rejected_topic)
    keys = ensure_keys(backing.database_url, keys_path)
    with psycopg.connect(backing.database_url, options=OPTIONS) as conn:
        row = conn.execute("select id from control.tenant where slug = %s", (TENANT,)).fetchone()
        if row is not None and current_version(conn, row[0]) is None:
            version = apply(conn, TENANT, load(base_pack()))
            say(f"Applied the base catalogue as version {version}")
    return keys
