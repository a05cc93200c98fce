"""What may vary for an encoder."""

from __future__ import annotations

import os

import pydantic

from hushlink_mesh import config


def _cores() -> int:
    """The processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


class EncoderConfig(config.ProcessConfig):
    """An encoder's settings. Each stream holds one batch, its answer, and what cells and tokens became: ``streams``
    bounds the memory of the process.
    """

    keys: pydantic.DirectoryPath
    """The folder of the linkage secrets: each file is one, and its name is the `key_name` that callers give."""
    coordinator: str | None = pydantic.Field(default=None, pattern=r"^\S+:[0-9]{1,5}$")
    """HOST:PORT of the coordinator that Publish sends to; None = Publish is refused."""
    coordinator_ca: pydantic.FilePath | None = None
    """PEM authorities that the coordinator's certificate is checked against; None = no TLS to the coordinator."""
    coordinator_certificate: pydantic.FilePath | None = None
    """PEM certificate chain shown to a coordinator that asks for one."""
    coordinator_key: pydantic.FilePath | None = None
    """PEM private key of it."""
    coordinator_server_name: str | None = None
    """The name expected in the coordinator's certificate."""
    streams: int = pydantic.Field(default=16, ge=1, le=10_000)
    """How many streams of records are taken at a time."""
    threads: int = pydantic.Field(default_factory=_cores, ge=1, le=1024)
    """How many of them are encoded in the same moment."""
    max_columns: int = pydantic.Field(default=256, ge=1, le=4096)
    """The most columns a schema may have."""
    max_cell_bytes: int = pydantic.Field(default=64 << 10, ge=1, le=64 << 20)
    """The longest cell, in bytes of UTF-8."""
    max_batch_records: int = pydantic.Field(default=1 << 15, ge=1, le=1 << 24)
    """The most records in one batch; fewer where their encodings would not fit into one message."""

    @pydantic.model_validator(mode="after")
    def _coordinator_pairs(self) -> EncoderConfig:
        if (self.coordinator_certificate is None) != (self.coordinator_key is None):
            raise ValueError("COORDINATOR_CERTIFICATE and COORDINATOR_KEY go together: set both or none")
        if self.coordinator_certificate is not None and self.coordinator_ca is None:
            raise ValueError("COORDINATOR_CERTIFICATE needs COORDINATOR_CA")
        return self

    @property
    def coordinator_channel(self) -> config.ChannelConfig:
        """How this process proves itself to the coordinator."""
        return config.ChannelConfig(
            ca=self.coordinator_ca,
            certificate=self.coordinator_certificate,
            key=self.coordinator_key,
            server_name=self.coordinator_server_name,
        )
