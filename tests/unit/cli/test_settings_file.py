"""`tidegate settings`: the environment file, from the classes."""

import re
from pathlib import Path

from pydantic import SecretStr

from tidegate_cli.settings_file import SERVICES, settings_document, variables
from tidegate_common.runtime.settings import ServiceSettings
from tidegate_ingest.settings import IngestSettings, LiveSettings

ROOT = Path(__file__).resolve().parents[3]
ASSIGNMENT = re.compile(r"^(?:# )?(TIDEGATE_[A-Z0-9_]+)=(.*)$", re.MULTILINE)


def test_env_example_is_what_the_settings_say() -> None:
    """`tidegate settings > .env.example` writes it; nobody else does."""
    assert (ROOT / ".env.example").read_text() == settings_document()


def test_settings_document_names_each_service_s_own_and_the_shared_once() -> None:
    """A variable that is there twice would be set in the wrong place."""
    names = [name for name, _ in ASSIGNMENT.findall(settings_document())]

    assert len(names) == len(set(names))
    assert {"TIDEGATE_RISK_PARTITION", "TIDEGATE_KAFKA__BOOTSTRAP_SERVERS"} <= set(names)
    # Shared by all, so no service has it again.
    assert "TIDEGATE_RISK_LOG_LEVEL" not in names
    for service in SERVICES:
        assert any(name.startswith(f"TIDEGATE_{service.upper()}_") for name in names)


def test_settings_document_sets_nothing_but_what_compose_needs() -> None:
    """Copied as it is, every setting keeps its default."""
    lines = settings_document().splitlines()

    said = [line for line in lines if line and not line.startswith("#")]

    assert said == [
        "COMPOSE_PROFILES=core",
        "TIDEGATE_COMPOSE_POSTGRES_PASSWORD=tidegate",
        "TIDEGATE_COMPOSE_GRAFANA_PASSWORD=tidegate",
    ]


def test_settings_document_has_the_defaults_as_a_variable_says_them() -> None:
    """Whoever removes a # changes nothing."""
    defaults = dict(ASSIGNMENT.findall(settings_document()))

    assert defaults["TIDEGATE_INGEST_AHEAD_BEATS_MAX"] == "1024"
    assert defaults["TIDEGATE_GATEWAY_READ_TIMEOUT_SECONDS"] == "2.0"
    assert defaults["TIDEGATE_REDIS__URL"] == "redis://127.0.0.1:6379/0"
    assert defaults["TIDEGATE_INGEST_RUN_SPEC_FILE"] == ""
    assert defaults["TIDEGATE_SIGNALS_ROLE"] == "scores"


def test_variables_join_nested_names_and_mark_secrets() -> None:
    """A file may stand for a secret, and for nothing else."""
    found = {each.name: each for each in variables(IngestSettings.model_fields, "X_")}

    assert found["X_LIVE__PUSH_TOKEN"].is_secret
    assert found["X_LIVE__PUSH_TOKEN"].default == ""
    assert not found["X_LIVE__PUSH_HOST"].is_secret
    assert found["X_LIVE__PUSH_HOST"].description == (
        LiveSettings.model_fields["push_host"].description
    )


def test_variables_write_booleans_lists_and_secrets_as_pydantic_reads_them() -> None:
    """JSON for what is no text."""

    class Odd(ServiceSettings):
        is_on: bool = True
        names: list[str] = ["a"]  # noqa: RUF012  # pydantic copies it
        secret: SecretStr = SecretStr("s")

    found = {each.name: each.default for each in variables(Odd.model_fields, "")}

    assert (found["IS_ON"], found["NAMES"], found["SECRET"]) == ("true", '["a"]', "s")
