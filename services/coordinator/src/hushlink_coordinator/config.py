"""What may vary for a coordinator."""

from __future__ import annotations

import pathlib
import socket
from typing import Annotated, Literal

import pydantic
import pydantic_settings

from hushlink_mesh import config


class CoordinatorConfig(config.ProcessConfig):
    """Each field is the environment variable HUSHLINK_<FIELD>."""

    database_url: pydantic.SecretStr
    """postgresql://USER:PASSWORD@HOST:PORT/DATABASE"""
    database_connections: int = pydantic.Field(default=10, ge=2, le=1000)
    """How many connections to Postgres this process holds at the most, beside one that listens."""
    blobs_endpoint: str
    """The object store's address, such as https://HOST:PORT."""
    blobs_bucket: str = "hushlink"
    """The bucket; created if it is not there."""
    blobs_access_key: pydantic.SecretStr
    """The object store's access key."""
    blobs_secret_key: pydantic.SecretStr
    """Its secret key."""
    blobs_region: str = "us-east-1"
    """The region that requests are signed for."""
    blobs_ca: pathlib.Path | None = None
    """PEM authorities that the object store's certificate is checked against; None = the system's."""
    blobs_connections: int = pydantic.Field(default=16, ge=2, le=1000)
    """How many connections to the object store this process holds at the most."""
    blobs_checksums: Literal["when_required", "when_supported"] = "when_required"
    """Whether requests carry the store's own checksums beyond what it demands."""
    matchers: Annotated[tuple[str, ...], pydantic_settings.NoDecode] = ()
    """Comma list of HOST:PORT; each host is looked up again and again, and every address it has is a matcher."""
    matchers_resolve_seconds: float = pydantic.Field(default=3.0, gt=0)
    """How often the hosts are looked up."""
    matchers_ca: pathlib.Path | None = None
    """PEM authorities that matchers' certificates are checked against; None = no TLS to matchers."""
    matchers_certificate: pathlib.Path | None = None
    """PEM certificate chain shown to matchers that ask for one."""
    matchers_key: pathlib.Path | None = None
    """PEM private key of it."""
    matchers_server_name: str | None = None
    """The name expected in matchers' certificates."""
    operator_right_sha256: str | None = pydantic.Field(default=None, pattern="^[0-9a-f]{64}$")
    """SHA-256, in hexadecimal, of the operator's right, which creates projects and lists all; None = there is none."""
    open_creation: bool | None = None
    """Whether anyone may create a project; None = exactly where there is no operator's right."""
    runs_at_once: int = pydantic.Field(default=2, ge=0, le=100)
    """How many runs this process works on at one time; 0 = it only answers calls."""
    lease_seconds: float = pydantic.Field(default=15.0, gt=0)
    """How long a run waits for its worker before another process takes it over."""
    run_attempts: int = pydantic.Field(default=3, ge=1)
    """After how many unforeseen errors in one stage a run fails."""
    tile_comparisons: int = pydantic.Field(default=1 << 28, ge=1)
    """About how many pairs of records the smallest tile of a large run compares."""
    merge_fan_in: int = pydantic.Field(default=64, ge=2, le=1024)
    """How many sorted runs of pairs are merged at one time; each takes about a quarter of a megabyte."""
    holder: str = pydantic.Field(default_factory=socket.gethostname)
    """This process's name in leases and logs."""

    @pydantic.field_validator("matchers", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def matchers_channel(self) -> config.ChannelConfig:
        """How this process proves itself to matchers."""
        return config.ChannelConfig(
            ca=self.matchers_ca,
            certificate=self.matchers_certificate,
            key=self.matchers_key,
            server_name=self.matchers_server_name,
        )
