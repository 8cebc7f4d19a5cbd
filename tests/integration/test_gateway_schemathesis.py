"""Whatever the gateway's document allows, and much that it does not, against a filled gateway."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.filled_gateway import Served

CONFIG = Path(__file__).with_name("schemathesis.toml")
# Random examples an operation, for a long search; none where time is short, and then every run asks
# the same: the document's own examples, and each bound of each parameter from both sides.
EXAMPLES = int(os.environ.get("TIDEGATE_SCHEMATHESIS_EXAMPLES", "0"))


@pytest.mark.slow
# A long search takes 0.8 s an example of all operations; a busy machine, several times that.
@pytest.mark.timeout(300 + 8 * EXAMPLES)
def test_gateway_every_operation_is_as_its_document_says(
    served: Served,
    tmp_path: Path,
) -> None:
    """No status, type or shape that is not declared, nothing bad taken, nothing good refused."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        f"--config-file={CONFIG}",
        "run",
        f"{served.url}/openapi.json",
        *("--header", f"Authorization: Bearer {served.admin_key}"),
        *("--checks", "all"),
        # The stream of events never ends; tests/integration/test_gateway_stream.py reads it.
        *("--exclude-path", "/v1/events"),
        "--no-color",
    ]
    if EXAMPLES:
        command += ["--max-examples", str(EXAMPLES)]
    else:
        command += ["--phases", "examples,coverage", "--generation-deterministic"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    tested = re.search(r"Selected: (\d+)/(\d+)\n\s+Tested: (\d+)", done.stdout)
    assert tested is not None
    # All but the one that is excluded.
    assert int(tested[1]) == int(tested[3]) == int(tested[2]) - 1
