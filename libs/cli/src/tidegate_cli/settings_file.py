"""`tidegate settings`: every setting of every service as an environment file (.env.example)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tidegate_cli.backtest_jobs.settings import BacktestsSettings
from tidegate_cli.settings import CliSettings
from tidegate_common.runtime.settings import NESTED, SHARED_PREFIX, ServiceSettings
from tidegate_execution.settings import ExecutionSettings
from tidegate_gateway.settings import GatewaySettings
from tidegate_ingest.settings import IngestSettings
from tidegate_recorder.settings import RecorderSettings
from tidegate_risk.settings import RiskSettings
from tidegate_signals.settings import SignalsSettings

SERVICES: Final[dict[str, type[ServiceSettings]]] = {
    "ingest": IngestSettings,
    "signals": SignalsSettings,
    "risk": RiskSettings,
    "execution": ExecutionSettings,
    "recorder": RecorderSettings,
    "gateway": GatewaySettings,
    "backtests": BacktestsSettings,
}

HEADER: Final = """\
# Every setting of the platform, with its default; `tidegate settings` writes this file.
#
# `cp .env.example .env`, and `docker compose up` reads it; elsewhere these are variables of the
# environment. Say only what is to be different. A service's own variable (TIDEGATE_RISK_LOG_LEVEL)
# counts before the one that all share (TIDEGATE_LOG_LEVEL). A secret may be in a file, which its
# variable with _FILE behind it names (TIDEGATE_POSTGRES__URL_FILE).

# --- docker compose alone -----------------------------------------------------------------------

# core: the platform; core,observability: with Prometheus, Alertmanager, Grafana and Jaeger
COMPOSE_PROFILES=core
# password of the containers' PostgreSQL; letters and digits
TIDEGATE_COMPOSE_POSTGRES_PASSWORD=tidegate
# password of Grafana's user `admin`
TIDEGATE_COMPOSE_GRAFANA_PASSWORD=tidegate
# ports on this machine
# TIDEGATE_COMPOSE_GATEWAY_PORT=8000
# TIDEGATE_COMPOSE_GRAFANA_PORT=3000
# TIDEGATE_COMPOSE_PROMETHEUS_PORT=9090
# TIDEGATE_COMPOSE_ALERTMANAGER_PORT=9093
# TIDEGATE_COMPOSE_JAEGER_PORT=16686
# folder with Alertmanager's secrets, such as chat-url
# TIDEGATE_COMPOSE_ALERT_SECRETS=./alert-secrets
# what is run: the options of `tidegate run spec`
# TIDEGATE_COMPOSE_RUN=--instruments 300 --beats 400
# folder with recordings; containers see it as /recordings
# TIDEGATE_COMPOSE_RECORDINGS=./recordings
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting as the environment says it.

    default : "" where there is none.
    is_secret : whether a file may hold it, named by the variable with `_FILE` behind it.
    """

    name: str
    default: str
    description: str
    is_secret: bool


def settings_document() -> str:
    """Return the environment file: what all share, then each service's own."""
    sections = [HEADER, _section("all services, and the `tidegate` command", _shared())]
    shared = set(CliSettings.model_fields)
    for name, settings in SERVICES.items():
        own = {key: field for key, field in settings.model_fields.items() if key not in shared}
        prefix = str(settings.model_config.get("env_prefix"))
        sections.append(_section(name, variables(own, prefix)))
    return "\n".join(sections)


def variables(fields: dict[str, FieldInfo], prefix: str) -> Iterator[Variable]:
    """Yield the variable of each field; those of a nested one join its name."""
    for name, field in fields.items():
        # OpenTelemetry's variables have names of their own.
        variable = str(field.validation_alias or f"{prefix}{name.upper()}")
        if isinstance(field.default, BaseModel):
            nested = type(field.default).model_fields
            yield from variables(nested, f"{variable}{NESTED}")
        else:
            is_secret = "SecretStr" in str(field.annotation)
            yield Variable(variable, _text(field.default), field.description or "", is_secret)


def _shared() -> Iterator[Variable]:
    return variables(CliSettings.model_fields, SHARED_PREFIX)


def _section(title: str, rows: Iterator[Variable]) -> str:
    rule = f"# --- {title} ".ljust(98, "-")
    lines = [f"# {row.description}\n# {row.name}={row.default}" for row in rows]
    return "\n".join([rule, "", *lines, ""])


def _text(default: object) -> str:
    """Return a default as a variable says it."""
    if default is None or default is PydanticUndefined:
        return ""
    if isinstance(default, SecretStr):
        # Addresses of this machine; a default that were a secret would be none.
        return default.get_secret_value()
    if isinstance(default, str | PurePath):
        return str(default)
    return json.dumps(default, default=list)
