"""Settings of the gateway, from environment variables."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.contracts.record import EVENTS_TOPIC
from common.environment import DatabaseUrl, EventTerms


class SharedSettings(BaseSettings):
    """Names without a prefix, the same for every service."""

    database_url: DatabaseUrl = Field(description="PostgreSQL, as a postgresql:// address")
    bellwether_events_topic: str = Field(
        EVENTS_TOPIC, description="The topic whose progress tells how far the stream is"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")


class GatewaySettings(BaseSettings):
    """Names with the prefix GATEWAY_."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on")
    alerts_url: str = Field("http://127.0.0.1:8083", description="The alerts service")
    ingest_url: str = Field(
        "http://127.0.0.1:8081", description="The ingest service, for the live view of events"
    )
    pool_size: int = Field(12, ge=2, le=200, description="Most database connections at a time")
    session_seconds: int = Field(12 * 3600, ge=60, description="How long a sign-in to the dashboard lasts")
    secure_cookies: bool = Field(
        default=False,
        description="Mark cookies Secure even when the request came by plain HTTP (behind a proxy that ends TLS)",
    )
    streams: int = Field(2_000, ge=1, description="Most open streams of this process")
    streams_per_key: int = Field(1_500, ge=1, description="Most open streams of one key")
    stream_queue: int = Field(
        256, ge=8, description="Messages that wait for one slow stream client before it is dropped"
    )
    stream_send_seconds: float = Field(
        10.0, gt=0, description="How long a stream client may take to accept one message"
    )
    forward_seconds: float = Field(
        10.0, gt=0, description="How long the alerts or ingest service may take to answer"
    )
    watch_edges_memory_mb: int = Field(
        2_048,
        ge=512,
        description="The process that looks at the edges of trees by night is refused more memory than this",
    )


class EventSettings(EventTerms, BaseSettings):
    """What corrected events are judged by: ingest's settings of it, which the gateway has to be given too."""

    model_config = SettingsConfigDict(env_prefix="INGEST_")
