"""Configuration that every process shares: where it listens, how it proves itself, what it logs.

A process reads the environment once, at its start, into one frozen object; all faults are reported together, by the
name of the variable, without its value.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any, TypeVar

import pydantic
import pydantic_settings

PREFIX = "HUSHLINK_"
_READ_ELSEWHERE = frozenset({"HUSHLINK_KERNEL"})  # the kernel's own choice of path


class ConfigError(Exception):
    """The environment is wrong; the message lists every fault, one a line."""


class ProcessConfig(pydantic_settings.BaseSettings):
    """What may vary for any process of the mesh. Each field is the environment variable HUSHLINK_<FIELD>."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, hide_input_in_errors=True, extra="forbid", use_attribute_docstrings=True
    )

    listen: str = "127.0.0.1:0"
    """HOST:PORT to serve gRPC on; port 0 = the system chooses."""
    address_file: pathlib.Path | None = None
    """Where to write the HOST:PORT that was bound, once the process serves; for whoever started it."""
    tls_certificate: pathlib.Path | None = None
    """PEM certificate chain of this server; None = no TLS."""
    tls_key: pathlib.Path | None = None
    """PEM private key of this server."""
    tls_client_ca: pathlib.Path | None = None
    """PEM authorities whose client certificates are required; None = clients need none."""
    max_message_bytes: int = pydantic.Field(default=4 << 20, ge=64 << 10, le=64 << 20)
    """The largest message accepted, in bytes."""
    unary_timeout_seconds: float = pydantic.Field(default=60.0, gt=0)
    """No answer to a unary call takes longer, whatever deadline the caller set."""
    idle_timeout_seconds: float = pydantic.Field(default=120.0, gt=0)
    """How long a stream from a client may stay silent before it is ended."""
    stop_grace_seconds: float = pydantic.Field(default=10.0, ge=0)
    """How long running calls may go on after the process was asked to stop."""
    log_level: str = pydantic.Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """DEBUG, INFO, WARNING or ERROR."""
    metrics_listen: str | None = None
    """HOST:PORT to serve Prometheus metrics on over HTTP; None = nowhere."""
    lifeline: int | None = None
    """A file descriptor of a pipe; when its other end closes, the process stops. For whoever started it."""

    @pydantic.model_validator(mode="after")
    def _pairs(self) -> ProcessConfig:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TLS_CERTIFICATE and TLS_KEY go together: set both or none")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("TLS_CLIENT_CA needs TLS_CERTIFICATE and TLS_KEY")
        return self


class ChannelConfig(pydantic.BaseModel):
    """How this process proves itself to servers it dials."""

    model_config = pydantic.ConfigDict(frozen=True, hide_input_in_errors=True)

    ca: pathlib.Path | None = None
    """PEM authorities that servers' certificates are checked against; None = no TLS."""
    certificate: pathlib.Path | None = None
    """PEM certificate chain shown to servers that ask for one."""
    key: pathlib.Path | None = None
    """PEM private key of it."""
    server_name: str | None = None
    """The name expected in the server's certificate, where it is not the host dialled."""


ConfigT = TypeVar("ConfigT", bound=ProcessConfig)


def read(kind: type[ConfigT], **overrides: Any) -> ConfigT:
    """The configuration in the environment; ``overrides`` win over it.

    Raises:
        ConfigError: something is wrong; every fault is named.
    """
    known = {f"{PREFIX}{name}".upper() for name in kind.model_fields}
    faults = [
        f"{name}: no such setting"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name.partition("__")[0] not in known | _READ_ELSEWHERE
    ]
    try:
        config = kind(**overrides)
    except pydantic.ValidationError as error:
        faults += [
            ": ".join([PREFIX + "__".join(str(part) for part in fault["loc"]).upper(), fault["msg"]])
            if fault["loc"]
            else fault["msg"]
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigError("\n".join(faults)) from None
    if faults:
        raise ConfigError("\n".join(faults))
    return config
