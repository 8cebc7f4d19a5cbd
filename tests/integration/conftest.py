"""What tests of real servers share."""

from collections.abc import Iterator

import pytest
from tests.integration.filled_gateway import Served, filled_gateway


@pytest.fixture(scope="module")
def served(
    postgres_server: str,
    redis_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Serve a filled gateway to all tests of a file."""
    with filled_gateway(postgres_server, redis_server, tmp_path_factory.mktemp("archive")) as one:
        yield one
