"""Settings of ingest, from the environment. Read by `app.py` alone."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.contracts.record import EVENTS_TOPIC, REJECTED_TOPIC
from common.environment import DatabaseUrl, EventTerms

MIB = 1024 * 1024


class SharedSettings(BaseSettings):
    """What several services read, by names without prefix."""

    model_config = SettingsConfigDict(frozen=True)

    database_url: DatabaseUrl
    kafka_bootstrap_servers: str = Field(min_length=1)
    bellwether_events_topic: str = EVENTS_TOPIC
    bellwether_rejected_topic: str = REJECTED_TOPIC
    log_level: str = "INFO"


class Settings(EventTerms, BaseSettings):
    """What only ingest reads, by names with prefix `INGEST_`."""

    model_config = SettingsConfigDict(env_prefix="INGEST_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8081, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64, description="Processes that share the port.")
    partitions: int = Field(6, ge=1, le=1000, description="Of the events topic, when it is created here.")
    replication: int = Field(1, ge=1, le=9, description="Of topics that are created here.")
    max_body_bytes: int = Field(8 * MIB, ge=1024, description="Of a request, as sent and when inflated.")
    max_events: int = Field(10_000, ge=1, le=100_000, description="Per request.")
    in_flight_bytes: int = Field(
        64 * MIB, ge=1024, description="Bodies and records held in memory; beyond, 503 with Retry-After."
    )
    record_bytes: int = Field(512 * 1024, ge=1024, le=4 * MIB, description="Events packed into one record.")
    linger_seconds: float = Field(0.004, ge=0, le=1)
    body_timeout_seconds: float = Field(20.0, gt=0, description="For a whole body to arrive.")
    publish_timeout_seconds: float = Field(10.0, gt=0)
    stall_seconds: float = Field(
        3.0, gt=0, description="When a record waits this long for the broker, new requests get 503 at once."
    )
    key_fresh_seconds: float = Field(5.0, ge=0, description="A revoked key works this long at most.")
    live_clients: int = Field(200, ge=1, description="Open streams of the live view.")
