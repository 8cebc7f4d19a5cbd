"""Settings: from the environment, the service's own before the shared ones."""

import os

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tidegate_common.bus.kafka import KafkaConfig
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.settings import KafkaSettings, ServiceSettings, load_settings


class RiskLikeSettings(ServiceSettings):
    """A service whose prefix begins a shared variable, as risk's does."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_RISK_")

    partition: int = Field(0, ge=0, description="which")
    path: str = Field(description="required")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TIDEGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TIDEGATE_RISK_PATH", "here")


def test_settings_without_variables_are_the_defaults() -> None:
    """On one machine nothing needs to be said."""
    settings = load_settings(ServiceSettings)

    assert (settings.shard_count, settings.kafka) == (1, KafkaSettings())


def test_settings_own_variable_goes_before_the_shared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said to one service overrides what is said to all."""
    monkeypatch.setenv("TIDEGATE_LOG_LEVEL", "error")
    monkeypatch.setenv("TIDEGATE_SHARD_COUNT", "4")
    monkeypatch.setenv("TIDEGATE_RISK_LOG_LEVEL", "debug")

    settings = load_settings(RiskLikeSettings)

    assert (settings.log_level, settings.shard_count) == ("debug", 4)


def test_settings_nested_variables_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    """An own address does not undo the shared prefix."""
    monkeypatch.setenv("TIDEGATE_KAFKA__TOPIC_PREFIX", "dev.")
    monkeypatch.setenv("TIDEGATE_RISK_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")

    kafka = load_settings(RiskLikeSettings).kafka

    assert (kafka.topic_prefix, kafka.bootstrap_servers) == ("dev.", "kafka:9092")


def test_settings_shared_variable_that_begins_like_the_prefix_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TIDEGATE_RISK_PARTITION_COUNT is said to all services, not to risk alone."""
    monkeypatch.setenv("TIDEGATE_RISK_PARTITION_COUNT", "3")

    settings = load_settings(RiskLikeSettings)

    assert (settings.risk_partition_count, settings.partition) == (3, 0)


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("TIDEGATE_RISK_PARTITION", "-1", "setting TIDEGATE_RISK_PARTITION: Input should be"),
        ("TIDEGATE_SHARD_COUNT", "65", "setting TIDEGATE_SHARD_COUNT: Input should be"),
        ("TIDEGATE_RISK_SHARD_COUNT", "x", "setting TIDEGATE_RISK_SHARD_COUNT: Input"),
        ("TIDEGATE_LOG_LEVEL", "loud", "was 'loud'"),
        ("TIDEGATE_RISK_COLOUR", "green", "setting TIDEGATE_RISK_COLOUR is not known"),
        ("TIDEGATE_KAFKA", "no JSON", 'error parsing value for field "kafka"'),
        ("TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS", "0", "TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS: Input"),
    ],
)
def test_settings_with_a_wrong_variable_are_a_config_error(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, text: str
) -> None:
    """One line that names the variable, what was expected and what was found."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError) as caught:
        load_settings(RiskLikeSettings)

    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "variable", ["TIDEGATE_KAFKA__SASL_PASWORD", "TIDEGATE_KAFKA__SASL_PASSWORD"]
)
def test_settings_error_does_not_tell_secrets(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Neither of a misspelt variable, nor of what else was given."""
    monkeypatch.setenv(variable, "hunter2")
    monkeypatch.delenv("TIDEGATE_RISK_PATH")

    with pytest.raises(ConfigError) as caught:
        load_settings(RiskLikeSettings)

    assert "hunter2" not in str(caught.value)


def test_settings_of_kafka_become_the_bus_s_config() -> None:
    """A password is a secret up to the moment when the client needs it."""
    plain = KafkaSettings(bootstrap_servers="kafka:9092", topic_prefix="dev.")
    secret = plain.model_copy(update={"sasl_password": SecretStr("hunter2")})

    assert plain.config() == KafkaConfig("kafka:9092", topic_prefix="dev.")
    assert secret.config().sasl_password == "hunter2"
    assert "hunter2" not in repr(secret)
