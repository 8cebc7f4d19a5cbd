"""How the gateway's server may be set up, and how not."""

import socket
from pathlib import Path

import pytest
from fastapi import FastAPI

from tidegate_common.errors import ConfigError
from tidegate_gateway.__main__ import server_config
from tidegate_gateway.security.gate import is_loopback
from tidegate_gateway.server import BoundedHttp, listen_at
from tidegate_gateway.settings import GatewaySettings

TLS = Path(__file__).parents[2] / "data" / "tls"


def settings_of(**given: object) -> GatewaySettings:
    """Return settings that do not come from the environment."""
    return GatewaySettings.model_validate(given)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway", ""])  # noqa: S104
def test_settings_without_keys_on_an_open_address_are_refused(host: str) -> None:
    """Anybody could trade."""
    settings = settings_of(auth="off", api_host=host)

    with pytest.raises(ConfigError, match="AUTH=off needs a loopback API_HOST"):
        settings.check(is_loopback=is_loopback(host))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_settings_without_keys_on_loopback_are_taken(host: str) -> None:
    """For one's own machine."""
    settings_of(auth="off", api_host=host).check(is_loopback=is_loopback(host))


def test_settings_ask_for_keys_unless_told_otherwise() -> None:
    """Who forgets the setting is safe."""
    settings = settings_of(api_host="0.0.0.0")  # noqa: S104  # with keys it may be

    settings.check(is_loopback=False)

    assert settings.auth == "on"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"api_tls_cert_file": "a.pem"}, "belong together"),
        ({"api_tls_key_file": "a.key"}, "belong together"),
        ({"cors_origins": "*"}, r"as https://desk\.example, was '\*'"),
        ({"cors_origins": "https://a.example, b.example"}, "was 'b.example'"),
        ({"cors_origins": "https://a.example/"}, "was 'https://a.example/'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, str], text: str) -> None:
    """A star would let every page in; a path would let none."""
    with pytest.raises(ConfigError, match=text):
        settings_of(**given).check(is_loopback=True)


def test_server_with_a_certificate_speaks_tls_alone() -> None:
    """Both files are read at the start."""
    settings = settings_of(
        api_tls_cert_file=str(TLS / "server.pem"),
        api_tls_key_file=str(TLS / "server.key"),
        cors_origins="https://a.example , https://b.example",
    )
    settings.check(is_loopback=True)

    config = server_config(FastAPI(), settings)

    assert config.is_ssl
    assert settings.origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("name", ["missing.pem", "README.md"])
def test_server_with_an_unusable_certificate_is_refused(name: str) -> None:
    """One line at the start."""
    settings = settings_of(
        api_tls_cert_file=str(TLS / name), api_tls_key_file=str(TLS / "server.key")
    )

    with pytest.raises(ConfigError, match="cannot be used"):
        server_config(FastAPI(), settings)


@pytest.mark.parametrize(("proxies", "is_trusting"), [("", False), ("192.0.2.1", True)])
def test_server_trusts_named_proxies_only(proxies: str, *, is_trusting: bool) -> None:
    """Else a caller could say that he is somebody else."""
    config = server_config(FastAPI(), settings_of(trusted_proxies=proxies))

    assert config.proxy_headers is is_trusting
    assert config.http is BoundedHttp


def test_listener_sends_an_answer_at_once() -> None:
    """What it accepts does so too."""
    with listen_at("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
