"""Settings: every field has a default or is asked for, and one line of help."""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tidegate_cli.backtest_jobs.settings import BacktestsSettings
from tidegate_common.runtime.settings import (
    KafkaSettings,
    PostgresSettings,
    RedisSettings,
    ServiceSettings,
)
from tidegate_execution.settings import ExecutionSettings
from tidegate_gateway.settings import GatewaySettings
from tidegate_ingest.settings import IngestSettings
from tidegate_risk.settings import RiskSettings
from tidegate_signals.settings import SignalsSettings

GOLDEN = Path(__file__).parent / "golden"
WRITE_GOLDEN = "TIDEGATE_TEST_WRITE_GOLDEN"
TYPES: list[type[BaseModel]] = [
    KafkaSettings,
    RedisSettings,
    PostgresSettings,
    ServiceSettings,
    IngestSettings,
    RiskSettings,
    ExecutionSettings,
    SignalsSettings,
    GatewaySettings,
    BacktestsSettings,
]


def table(settings: type[BaseModel]) -> str:
    """Return name, default and help of each field; nested ones have a table of their own."""
    lines = []
    for name, field in settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            lines.append(f"{name} = {type(field.default).__name__}")
            continue
        default = "(required)" if field.default is PydanticUndefined else repr(field.default)
        lines.append(f"{name} = {default}  # {field.description}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("settings", TYPES, ids=lambda settings: settings.__name__)
def test_settings_have_their_golden_defaults(settings: type[BaseModel]) -> None:
    """A default that changes changes every deployment that does not say it."""
    path = GOLDEN / f"settings_{settings.__name__}.txt"
    found = table(settings)
    if os.environ.get(WRITE_GOLDEN):
        path.write_text(found)

    assert found == path.read_text()


@pytest.mark.parametrize("settings", TYPES, ids=lambda settings: settings.__name__)
def test_settings_fields_have_one_line_of_help(settings: type[BaseModel]) -> None:
    """READMEs and .env.example are made of them."""
    without = [
        name
        for name, field in settings.model_fields.items()
        if not isinstance(field.default, BaseModel) and not (field.description or "").strip()
    ]

    assert without == []
    assert settings.model_config.get("frozen")
