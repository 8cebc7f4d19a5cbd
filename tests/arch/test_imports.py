"""The import contracts of the root pyproject.toml hold (house style, section 4)."""

from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts_of_the_workspace_are_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Engines stay pure and services apart only if nothing imports across."""
    monkeypatch.chdir(ROOT)

    status = cli.lint_imports(config_filename="pyproject.toml", no_cache=True)

    assert status == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out
