"""Configuration: read once, every fault named, no value shown."""

from __future__ import annotations

import pytest

from hushlink_coordinator import config as coordinator_config
from hushlink_mesh import config

NEEDED = {
    "HUSHLINK_DATABASE_URL": "postgresql://u:hunter2@h/d",
    "HUSHLINK_BLOBS_ENDPOINT": "http://127.0.0.1:1",
    "HUSHLINK_BLOBS_ACCESS_KEY": "access",
    "HUSHLINK_BLOBS_SECRET_KEY": "hunter3",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    settings = config.read(coordinator_config.CoordinatorConfig)
    assert "hunter" not in repr(settings) + str(settings)
    assert settings.database_url.get_secret_value() == NEEDED["HUSHLINK_DATABASE_URL"]


def test_matchers_are_a_comma_list(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUSHLINK_MATCHERS", "a:1, b:2,")
    assert config.read(coordinator_config.CoordinatorConfig).matchers == ("a:1", "b:2")


def test_all_faults_are_named_together_without_their_values(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUSHLINK_MAX_MESSAGE_BYTES", "canary-a")
    environment.setenv("HUSHLINK_LOG_LEVEL", "canary-b")
    environment.setenv("HUSHLINK_MATCHRES", "canary-c")
    environment.delenv("HUSHLINK_BLOBS_ENDPOINT")
    with pytest.raises(config.ConfigError) as refused:
        config.read(coordinator_config.CoordinatorConfig)
    text = str(refused.value)
    for name in ("MAX_MESSAGE_BYTES", "LOG_LEVEL", "MATCHRES", "BLOBS_ENDPOINT"):
        assert f"HUSHLINK_{name}" in text
    assert "canary" not in text


def test_a_certificate_needs_its_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUSHLINK_TLS_CERTIFICATE", "cert.pem")
    with pytest.raises(config.ConfigError, match="TLS_CERTIFICATE and TLS_KEY"):
        config.read(coordinator_config.CoordinatorConfig)
