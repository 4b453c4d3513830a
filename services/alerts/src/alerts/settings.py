"""Settings by environment; read by app.py alone."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.environment import DatabaseUrl


class SharedSettings(BaseSettings):
    """Names that several services share, without a prefix."""

    model_config = SettingsConfigDict(extra="ignore")

    database_url: DatabaseUrl = Field(description="PostgreSQL, postgresql://user:password@host:port/database")
    bellwether_events_topic: str = Field(
        default="bellwether.events.v1", description="whose progress says how far the engine is"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class AlertsSettings(BaseSettings):
    """The alerts service's own, with prefix ALERTS_."""

    model_config = SettingsConfigDict(env_prefix="ALERTS_", extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8083, ge=0, le=65535)
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="where people reach the gateway; links in notices begin with it",
    )
    max_lag_seconds: float = Field(
        default=60.0, gt=0, description="nothing opens while the engine applies records older than this"
    )
    allow_private_receivers: bool = Field(
        default=False,
        description="lets every receiver be at private and loopback addresses; for local stacks and tests",
    )
    delivery_timeout_seconds: float = Field(
        default=15.0,
        gt=0,
        le=60,
        description="how long one attempt to deliver may take, whatever the channel",
    )
    ingest_url: str = Field(
        default="http://127.0.0.1:8081",
        description="where ingest answers /readyz; the heartbeat is sent only while it says that it is ready",
    )
    smtp_host: str = Field(
        default="", description="the mail server; empty: no mail is sent, and e-mail receivers are refused"
    )
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str = ""
    smtp_password: str = ""
    smtp_from: str = Field(default="bellwether@localhost", pattern=r"^[^@\s]+@[^@\s]+$")
    pool_size: int = Field(default=8, ge=4, le=100, description="database connections of this process")
