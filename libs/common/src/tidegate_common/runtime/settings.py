"""Settings from the environment, read once.

A service's own variables start with `TIDEGATE_<SERVICE>_`; what all services share (addresses,
topology, logs) may be said once with `TIDEGATE_`. Nested fields are joined by `__`, as in
`TIDEGATE_KAFKA__BOOTSTRAP_SERVERS`. A secret may be in a file instead, which its variable with
`_FILE` behind it names, as in `TIDEGATE_KAFKA__SASL_PASSWORD_FILE`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from tidegate_common.bus.kafka import KafkaConfig
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.secret_files import FILE_SUFFIX, read_secret_files, secret_names

SHARED_PREFIX = "TIDEGATE_"
NESTED = "__"
# Names that are not ours keep their own: OpenTelemetry's.
STANDARD_PREFIX = "OTEL_"


class KafkaSettings(BaseModel):
    """How to reach Kafka."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = Field("127.0.0.1:9092", description="host:port of a broker")
    topic_prefix: str = Field("", description="put before every topic's name")
    fetch_max_wait_ms: int = Field(100, ge=1, le=10_000, description="longest empty fetch, ms")
    urgent_fetch_max_wait_ms: int = Field(
        100,
        ge=1,
        le=10_000,
        description="the same where risk and execution wait for each other, ms",
    )
    connect_timeout_seconds: float = Field(15.0, gt=0, description="longest wait at start, s")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN",
        description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    )
    sasl_username: str | None = Field(None, description="user, for SASL")
    sasl_password: SecretStr | None = Field(None, description="password, for SASL")
    ca_file: str = Field("", description="CA certificates (PEM) for TLS; none: the system's")

    @model_validator(mode="after")
    def _check_sasl(self) -> Self:
        is_sasl = self.security_protocol.startswith("SASL")
        if is_sasl and (self.sasl_username is None or self.sasl_password is None):
            message = f"{self.security_protocol} needs sasl_username and sasl_password"
            raise ValueError(message)
        if self.ca_file and not self.security_protocol.endswith("SSL"):
            # Who names a CA believes that the connection is a secret.
            message = f"ca_file needs SSL or SASL_SSL, was {self.security_protocol}"
            raise ValueError(message)
        return self

    def config(self) -> KafkaConfig:
        """Return the bus's configuration."""
        password = self.sasl_password.get_secret_value() if self.sasl_password else None
        return KafkaConfig(
            bootstrap_servers=self.bootstrap_servers,
            topic_prefix=self.topic_prefix,
            fetch_max_wait_ms=self.fetch_max_wait_ms,
            urgent_fetch_max_wait_ms=self.urgent_fetch_max_wait_ms,
            connect_timeout_seconds=self.connect_timeout_seconds,
            security_protocol=self.security_protocol,
            sasl_mechanism=self.sasl_mechanism,
            sasl_username=self.sasl_username,
            sasl_password=password,
            ca_file=self.ca_file,
        )


class RedisSettings(BaseModel):
    """How to reach Redis or Valkey."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="redis:// address, or rediss:// for TLS",
    )
    username: str = Field("", description="user; none: what the address says")
    password: SecretStr | None = Field(None, description="password; none: what the address says")
    ca_file: str = Field("", description="CA certificates (PEM) for TLS; none: the system's")
    key_prefix: str = Field("tidegate:", description="put before every key")
    timeout_seconds: float = Field(0.5, gt=0, description="longest wait for an answer, s")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.ca_file and not self.url.get_secret_value().startswith("rediss://"):
            message = "ca_file needs an address that begins with rediss://"
            raise ValueError(message)
        return self

    def address(self) -> str:
        """Return the address with user, password and CA in it, as clients take it."""
        options = {"ssl_ca_certs": self.ca_file} if self.ca_file else {}
        return _address(self.url, user=self.username, password=self.password, options=options)


class PostgresSettings(BaseModel):
    """How to reach PostgreSQL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1:5432/tidegate"),
        description="postgresql:// address",
    )
    user: str = Field("", description="user; none: what the address says")
    password: SecretStr | None = Field(None, description="password; none: what the address says")
    sslmode: Literal["", "disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "",
        description="disable to verify-full, as libpq knows them; none: verify-full with a CA",
    )
    ca_file: str = Field("", description="CA certificates (PEM) for TLS")
    read_url: SecretStr | None = Field(
        None,
        description="postgresql:// address of a replica that the gateway reads; none if empty",
    )
    read_lag_seconds_max: float = Field(
        5.0,
        gt=0,
        description="a replica that is further behind is not read, s",
    )
    timeout_seconds: float = Field(10.0, gt=0, description="longest wait for an answer, s")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        is_checked = self.sslmode in {"", "verify-ca", "verify-full"}
        if self.ca_file and not is_checked:
            message = f"ca_file needs sslmode verify-ca or verify-full, was {self.sslmode}"
            raise ValueError(message)
        return self

    def address(self) -> str:
        """Return the address with user, password, sslmode and CA in it, as the driver takes it."""
        return self._whole(self.url)

    def read_address(self) -> str | None:
        """Return the replica's address with the same put in; None where there is no replica."""
        if self.read_url is None or not self.read_url.get_secret_value():
            return None
        return self._whole(self.read_url)

    def _whole(self, url: SecretStr) -> str:
        sslmode = self.sslmode or ("verify-full" if self.ca_file else "")
        options = {"sslmode": sslmode, "sslrootcert": self.ca_file}
        given = {name: value for name, value in options.items() if value}
        return _address(url, user=self.user, password=self.password, options=given)


def _address(
    url: SecretStr,
    *,
    user: str,
    password: SecretStr | None,
    options: Mapping[str, str],
) -> str:
    """Return an address with what was said beside it put in."""
    address = url.get_secret_value()
    if not user and password is None and not options:
        return address
    parts = urlsplit(address)
    known, _, host = parts.netloc.rpartition("@")
    known_user, _, known_password = known.partition(":")
    name = quote(user, safe="") if user else known_user
    secret = known_password if password is None else quote(password.get_secret_value(), safe="")
    login = f"{name}:{secret}" if secret else name
    query = parse_qsl(parts.query) + list(options.items())
    place = f"{login}@{host}" if login else host
    return urlunsplit(parts._replace(netloc=place, query=urlencode(query)))


class ServiceSettings(BaseSettings):
    """What every service is told."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_nested_delimiter=NESTED)
    # Variables that the process is given for other programs of the platform.
    shared_fields: ClassVar[frozenset[str]] = frozenset()

    kafka: KafkaSettings = KafkaSettings()
    shard_count: int = Field(1, ge=1, le=64, description="partitions of the tick topic")
    risk_partition_count: int = Field(1, ge=1, le=64, description="partitions of the accounts")
    stripe_count: int = Field(
        1,
        ge=1,
        le=64,
        description="stripes of each partition of orders and fills; 16 on the embedded broker",
    )
    http_host: str = Field("127.0.0.1", description="address of /livez, /readyz and /metrics")
    http_port: int = Field(0, ge=0, le=65_535, description="its port; 0 takes a free one")
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+.*)?$",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="http:// address to send traces to, by OTLP over HTTP; none: no traces",
    )
    trace_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        validation_alias="OTEL_TRACES_SAMPLER_ARG",
        description="share of beats and requests that are traced, 0 to 1",
    )
    log_format: str = Field("console", pattern="^(json|console)$", description="json or console")
    log_level: str = Field(
        "info",
        pattern="^(debug|info|warning|error)$",
        description="least level",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the base class names it
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the service's own variables before the shared ones."""
        assert isinstance(env_settings, EnvSettingsSource)
        shared = EnvSettingsSource(
            settings_cls,
            env_prefix=SHARED_PREFIX,
            env_nested_delimiter=NESTED,
        )
        for source in (env_settings, shared):
            source.env_vars = read_secret_files(settings_cls, source.env_vars, source.env_prefix)
        return init_settings, env_settings, shared, file_secret_settings


Settings = TypeVar("Settings", bound=ServiceSettings)


def load_settings(settings_type: type[Settings]) -> Settings:
    """Return the settings that the environment gives.

    Raises
    ------
    ConfigError
        If a value is not valid, or a variable with the service's prefix names no setting.
    """
    try:
        settings = settings_type()
    except SettingsError as error:
        message = f"settings: {error}"
        raise ConfigError(message) from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = _variable(settings_type, [str(part) for part in problem["loc"]])
        # Other inputs are all that was given, or a misspelt password.
        is_value = isinstance(problem["input"], str | int | float)
        is_quotable = is_value and problem["type"] not in {"missing", "extra_forbidden"}
        found = f", was {problem['input']!r}" if is_quotable else ""
        message = f"setting {name}: {problem['msg']}{found}"
        raise ConfigError(message) from error
    _refuse_unknown(settings_type)
    return settings


def _variable(settings_type: type[ServiceSettings], path: Sequence[str]) -> str:
    """Return the variable that gave a field: the service's own if it is set, else the shared."""
    if path[0].startswith(STANDARD_PREFIX):
        return path[0]
    name = NESTED.join(path).upper()
    own = str(settings_type.model_config.get("env_prefix", "")) + name
    is_shared = path[0] in ServiceSettings.model_fields and own not in os.environ
    return SHARED_PREFIX + name if is_shared else own


def _refuse_unknown(settings_type: type[ServiceSettings]) -> None:
    prefix = str(settings_type.model_config.get("env_prefix", ""))
    if not prefix or prefix == SHARED_PREFIX:
        return
    known = {name.upper() for name in settings_type.model_fields}
    known |= {f"{name}{FILE_SUFFIX}".upper() for name in secret_names(settings_type)}
    for variable in sorted(os.environ):
        if not variable.upper().startswith(prefix):
            continue
        field = variable.upper().removeprefix(prefix).split(NESTED)[0]
        # TIDEGATE_RISK_PARTITION_COUNT is said to all services, not to risk alone.
        shared = variable.upper().removeprefix(SHARED_PREFIX).split(NESTED)[0]
        if field not in known and shared not in known:
            message = (
                f"setting {variable} is not known; known are: "
                f"{', '.join(prefix + name for name in sorted(known))}"
            )
            raise ConfigError(message)
