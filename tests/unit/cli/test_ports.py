"""Loopback ports: preferred, free, wanted, taken."""

import socket
from collections.abc import Iterator

import pytest

from tidegate_cli.servers.ports import choose_port, is_port_free, require_port
from tidegate_common.errors import ConfigError


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Hold a listening loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])


def test_choose_port_preferred_free_takes_it(free_port: int) -> None:
    """Addresses stay the same from run to run where they can."""
    assert choose_port(free_port) == free_port


def test_choose_port_preferred_taken_takes_another(taken_port: int) -> None:
    """Two stacks on one machine must not fight over a port."""
    port = choose_port(taken_port)

    assert port != taken_port
    assert is_port_free(port)


def test_require_port_free_returns_it(free_port: int) -> None:
    """A wanted port that is free is simply used."""
    assert require_port(free_port, option="--kafka-port") == free_port


def test_require_port_taken_names_the_option(taken_port: int) -> None:
    """The user reads which port it is and what to do."""
    with pytest.raises(ConfigError) as caught:
        require_port(taken_port, option="--kafka-port")

    assert str(caught.value) == (
        f"port {taken_port} is in use: choose another with --kafka-port "
        "or stop the program that holds it"
    )


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_require_port_out_of_range_is_refused(port: int) -> None:
    """Zero would mean any port, which is not what was asked for."""
    with pytest.raises(ConfigError, match=f"--kafka-port must be 1 to 65535, was {port}"):
        require_port(port, option="--kafka-port")


def test_require_port_without_rights_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port below 1024 is not in use, it is out of reach."""
    monkeypatch.setattr(socket.socket, "bind", _refuse)

    with pytest.raises(ConfigError, match="port 80 needs more rights than this user has"):
        require_port(80, option="--kafka-port")


def test_is_port_free_bound_to_every_interface_is_taken() -> None:
    """A wildcard listener holds the loopback port too."""
    with socket.create_server(("0.0.0.0", 0)) as holder:  # noqa: S104 - that is the case
        assert not is_port_free(holder.getsockname()[1])


def test_is_port_free_after_its_connections_closed_is_free() -> None:
    """Connections in TIME_WAIT do not keep a restarted stack from its port."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = holder.getsockname()
        with socket.create_connection(address):
            accepted, _ = holder.accept()
            accepted.close()

    assert is_port_free(address[1])


def _refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")
