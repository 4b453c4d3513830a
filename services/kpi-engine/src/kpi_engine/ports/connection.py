"""The engine's one database connection, as its ports pass it on."""

from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
