"""The compose file: walls between networks, nothing secret in it, settings that exist."""

from __future__ import annotations

import os
import pathlib
import re
import stat
import subprocess
from typing import Any

import pytest
import yaml

from hushlink_coordinator import config as coordinator_config
from hushlink_encoder import config as encoder_config
from hushlink_matcher import config as matcher_config
from hushlink_mesh import config
from tests.support import repository

_DEPLOY = repository.ROOT / "deploy"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}")
_CONFIGS: dict[str, type[config.ProcessConfig]] = {
    "coordinator": coordinator_config.CoordinatorConfig,
    "matcher": matcher_config.MatcherConfig,
    "encoder": encoder_config.EncoderConfig,
}


def _read(name: str) -> dict[str, Any]:
    text = (_DEPLOY / name).read_text()
    plain = _VARIABLE.sub(lambda found: found["default"], text)
    assert "$" not in plain, "a variable without a default"
    loaded: dict[str, Any] = yaml.safe_load(plain)
    return loaded


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = _read("compose.yaml")["services"]
    return found


def _reach(services: dict[str, Any], name: str) -> set[str]:
    """The services that share a network with one."""
    mine = set(services[name]["networks"])
    return {other for other, facts in services.items() if other != name and mine & set(facts["networks"])}


def test_a_matcher_reaches_the_coordinator_alone_and_nothing_outside(services: dict[str, Any]):
    assert _reach(services, "matcher") == {"coordinator"}
    networks = _read("compose.yaml")["networks"]
    assert all(networks[name]["internal"] for name in services["matcher"]["networks"])
    assert "ports" not in services["matcher"]


def test_postgres_and_the_object_store_are_the_coordinators_alone(services: dict[str, Any]):
    networks = _read("compose.yaml")["networks"]
    for store in ("postgres", "objects"):
        assert _reach(services, store) == {"coordinator"}
        assert all(networks[name]["internal"] for name in services[store]["networks"])
        assert "ports" not in services[store]


def test_what_the_host_publishes_it_publishes_on_loopback(services: dict[str, Any]):
    ports = [port for facts in services.values() for port in facts.get("ports", ())]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") and port.endswith(":50051") for port in ports)


@pytest.mark.parametrize("service", _CONFIGS)
def test_a_service_of_ours_has_no_power(services: dict[str, Any], service: str):
    facts = services[service]
    assert facts["user"] == "65532:65532"
    assert facts["read_only"] is True
    assert facts["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in facts["security_opt"]
    assert facts["mem_limit"]
    assert facts["build"]["args"] == {"SERVICE": service}


def test_an_encoder_starts_only_where_it_is_asked_for(services: dict[str, Any]):
    assert services["encoder"]["profiles"] == ["data-owner"]
    assert not [name for name, facts in services.items() if name != "encoder" and "profiles" in facts]


@pytest.mark.parametrize("file", ["compose.yaml", "compose.tls.yaml"])
@pytest.mark.parametrize("service", _CONFIGS)
def test_every_setting_exists_and_none_is_a_secret(file: str, service: str):
    kind = _CONFIGS[service]
    for variable in _read(file)["services"].get(service, {}).get("environment", {}):
        field = variable.removeprefix(config.PREFIX).lower()
        assert field in kind.model_fields, variable
        assert "Secret" not in str(kind.model_fields[field].annotation), variable


def _drawn(folder: pathlib.Path) -> dict[str, str]:
    subprocess.run(["bash", _DEPLOY / "draw-secrets", folder], check=True, stdout=subprocess.DEVNULL)
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_drawn_secrets_are_private_and_stay(tmp_path: pathlib.Path):
    folder = tmp_path / "secrets"
    drawn = _drawn(folder)
    assert _drawn(folder) == drawn
    assert set(_drawn(tmp_path / "others").values()).isdisjoint(drawn.values())
    for path in (folder, *folder.glob("*.*"), folder / "postgres-password", folder / "operator-right"):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path


def test_drawn_secrets_configure_a_coordinator(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, services: dict[str, Any]
):
    drawn = _drawn(tmp_path / "secrets")
    assert services["coordinator"]["env_file"] == ["secrets/coordinator.env"]
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)
    for line in drawn["coordinator.env"].splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    for name, text in services["coordinator"]["environment"].items():
        monkeypatch.setenv(name, text)
    settings = config.read(coordinator_config.CoordinatorConfig)
    assert settings.database_url.get_secret_value().startswith(
        f"postgresql://hushlink:{drawn['postgres-password'].strip()}@postgres:"
    )
    pair = f"{settings.blobs_access_key.get_secret_value()},{settings.blobs_secret_key.get_secret_value()}"
    assert drawn["objects.env"].strip() == f"RCLONE_AUTH_KEY={pair}"
    assert settings.operator_right_sha256
    assert settings.matchers == ("matcher:50051",)
