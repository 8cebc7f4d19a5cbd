"""Settings: from the environment, the service's own before the shared ones."""

import os
import ssl
from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tidegate_common.bus.kafka import KafkaConfig
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.settings import (
    KafkaSettings,
    PostgresSettings,
    RedisSettings,
    ServiceSettings,
    load_settings,
)


class RiskLikeSettings(ServiceSettings):
    """A service whose prefix begins a shared variable, as risk's does."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_RISK_")

    partition: int = Field(0, ge=0, description="which")
    token: SecretStr | None = Field(None, description="a secret of its own")
    redis: RedisSettings = RedisSettings()
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
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4318", "setting OTEL_EXPORTER_OTLP_ENDPOINT: String"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "setting OTEL_TRACES_SAMPLER_ARG: Input"),
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


@pytest.mark.parametrize(
    "variable",
    ["TIDEGATE_KAFKA__SASL_PASSWORD_FILE", "TIDEGATE_RISK_KAFKA__SASL_PASSWORD_FILE"],
)
def test_settings_secret_is_read_from_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    """Its line break is none of it, its other spaces are."""
    path = tmp_path / "password"
    path.write_text(" hunter2 \n")
    monkeypatch.setenv(variable, str(path))

    assert load_settings(RiskLikeSettings).kafka.config().sasl_password == " hunter2 "


def test_settings_own_secret_may_be_in_a_file_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And an address with a password in it is a secret."""
    (tmp_path / "token").write_text("sesame")
    (tmp_path / "url").write_text("rediss://u:p@redis:6379/1\r\n")
    monkeypatch.setenv("TIDEGATE_RISK_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("TIDEGATE_REDIS__URL_FILE", str(tmp_path / "url"))

    settings = load_settings(RiskLikeSettings)

    assert settings.token == SecretStr("sesame")
    assert settings.redis.address() == "rediss://u:p@redis:6379/1"


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff", "it is no text")],
)
def test_settings_secret_file_that_has_none_is_a_config_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, text: str
) -> None:
    """An empty password would be tried, and who knows what it opens."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("TIDEGATE_RISK_TOKEN_FILE", str(path))

    with pytest.raises(ConfigError, match=text) as caught:
        load_settings(RiskLikeSettings)

    assert "TIDEGATE_RISK_TOKEN_FILE" in str(caught.value)


def test_settings_secret_said_twice_is_a_config_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody knows which one is meant."""
    (tmp_path / "token").write_text("sesame")
    monkeypatch.setenv("TIDEGATE_RISK_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("TIDEGATE_RISK_TOKEN", "hunter2")

    with pytest.raises(ConfigError, match="not both") as caught:
        load_settings(RiskLikeSettings)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"KAFKA__SECURITY_PROTOCOL": "SASL_SSL"}, "needs sasl_username and sasl_password"),
        (
            {"KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "KAFKA__SASL_PASSWORD": "hunter2"},
            "needs sasl_username",
        ),
        ({"KAFKA__CA_FILE": "ca.pem"}, "ca_file needs SSL"),
        ({"KAFKA__SECURITY_PROTOCOL": "TLS"}, "SECURITY_PROTOCOL"),
        ({"REDIS__CA_FILE": "ca.pem", "REDIS__PASSWORD": "hunter2"}, "rediss://"),
    ],
)
def test_settings_of_a_half_secured_server_are_a_config_error(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str
) -> None:
    """Who asks for TLS and gets none is worse off than who never asked."""
    for name, value in variables.items():
        monkeypatch.setenv(f"TIDEGATE_{name}", value)

    with pytest.raises(ConfigError, match=text) as caught:
        load_settings(RiskLikeSettings)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "redis://127.0.0.1:6379/0"),
        ({"password": "p@:/"}, "redis://:p%40%3A%2F@127.0.0.1:6379/0"),
        ({"username": "u"}, "redis://u@127.0.0.1:6379/0"),
        ({"url": "rediss://a:b@h/0", "username": "u"}, "rediss://u:b@h/0"),
        ({"url": "rediss://a:b@h/0", "password": "p"}, "rediss://a:p@h/0"),
        (
            {"url": "rediss://h/0?protocol=3", "ca_file": "/tls/ca.pem"},
            "rediss://h/0?protocol=3&ssl_ca_certs=%2Ftls%2Fca.pem",
        ),
    ],
)
def test_settings_of_redis_become_an_address(given: dict[str, str], address: str) -> None:
    """What is said beside the address goes before what it says."""
    assert RedisSettings.model_validate(given).address() == address


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, ""),
        ({"sslmode": "require"}, "?sslmode=require"),
        ({"ca_file": "/ca.pem"}, "?sslmode=verify-full&sslrootcert=%2Fca.pem"),
        (
            {"ca_file": "/ca.pem", "sslmode": "verify-ca"},
            "?sslmode=verify-ca&sslrootcert=%2Fca.pem",
        ),
    ],
)
def test_settings_of_postgres_become_an_address(given: dict[str, str], query: str) -> None:
    """A CA alone means that the server's certificate and name are checked."""
    login = {"url": "postgresql://h:5432/d", "user": "u", "password": "p w"}

    address = PostgresSettings.model_validate(login | given).address()

    assert address == f"postgresql://u:p%20w@h:5432/d{query}"


@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require"])
def test_settings_of_postgres_ca_that_would_not_be_used_is_refused(sslmode: str) -> None:
    """These modes trust everybody."""
    with pytest.raises(ValueError, match="ca_file needs sslmode"):
        PostgresSettings.model_validate({"ca_file": "ca.pem", "sslmode": sslmode})


def test_settings_of_kafka_tls_become_a_context_that_checks() -> None:
    """Names and certificates, with the system's CAs where none is named."""
    plain = KafkaConfig("kafka:9092")
    context = KafkaConfig("kafka:9092", security_protocol="SSL").tls_context()

    assert plain.tls_context() is None
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_settings_of_kafka_ca_that_cannot_be_read_is_a_config_error(
    tmp_path: Path, content: bytes | None
) -> None:
    """One line at the start."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"ca\.pem cannot be read"):
        KafkaConfig("kafka:9092", security_protocol="SSL", ca_file=str(path)).tls_context()


def test_settings_of_a_replica_have_the_user_and_tls_of_the_primary() -> None:
    """It is a copy, its users too; without an address there is none."""
    given = {"user": "u", "password": "p", "sslmode": "require"}

    settings = PostgresSettings.model_validate({**given, "read_url": "postgresql://copy/tidegate"})

    assert settings.read_address() == "postgresql://u:p@copy/tidegate?sslmode=require"
    assert PostgresSettings().read_address() is None
    assert PostgresSettings.model_validate({"read_url": ""}).read_address() is None
