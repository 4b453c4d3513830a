"""Settings of the engine, from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.environment import DatabaseUrl


class Settings(BaseSettings):
    """Names without prefix are shared with the other services."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_", extra="ignore")

    database_url: DatabaseUrl = Field(validation_alias="DATABASE_URL")
    kafka_bootstrap_servers: str = Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    events_topic: str = Field("bellwether.events.v1", validation_alias="BELLWETHER_EVENTS_TOPIC")
    rejected_topic: str = Field("bellwether.rejected.v1", validation_alias="BELLWETHER_REJECTED_TOPIC")
    log_level: str = Field("INFO", validation_alias="LOG_LEVEL")

    host: str = "127.0.0.1"
    port: int = Field(8082, ge=0, le=65535)
    group: str = Field("bellwether-kpi-engine", description="Kafka consumer group; replicas share it")
    session_timeout_ms: int = Field(6_000, ge=1_000, description="After this silence the others take over")
    batch_records: int = Field(2_000, ge=1, description="Kafka records taken by one poll")
    batch_events: int = Field(
        48_000,
        ge=1,
        description="A batch closes at about this many events, at fewer where they change many figures",
    )
    piece_events: int = Field(
        12_000,
        ge=1,
        description="Events of a batch that are decoded at once (twice as many are held), and of a rebuild that are counted at once",
    )
    batch_seconds: float = Field(0.1, gt=0, le=5, description="A batch closes after this long")
    states_per_batch: int = Field(
        50, ge=0, description="Account states computed per transaction while events wait"
    )
    states_when_idle: int = Field(
        500, ge=1, description="Account states computed per transaction when none wait"
    )
    recent_ids: int = Field(
        393_216, ge=1_000, description="Identities kept in memory before they are sealed, 24 bytes each"
    )
    filter_bits_log2: int = Field(
        25, ge=16, le=32, description="Size of the filter per partition: 25 is 4 MB"
    )
    watchdog_seconds: float = Field(
        60, ge=1, description="Unread records and none received for this long: start anew"
    )
    train_risk_days: float = Field(
        30,
        ge=0,
        description="A model of renewal risk is trained anew after so many days, and after a load; 0: never",
    )
    train_risk_memory_mb: int = Field(
        2_048, ge=512, description="The process that trains is refused more memory than this"
    )
