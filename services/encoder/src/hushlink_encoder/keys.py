"""The linkage secret and everything that is derived from it.

The secret exists in the data owner's process and nowhere else. A `Secret` and the keys show
nothing of themselves in `repr`, cannot be pickled, and come from a file or from memory, never
from a process argument.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import pathlib
import secrets
from dataclasses import dataclass, field
from typing import Final, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf import hkdf, scrypt

from hushlink_domain import errors, schema

SECRET_BYTES: Final = 1 << 16
"""Longest secret, in bytes."""

NEW_SECRET_BYTES: Final = 32
"""Random bytes of a secret that is made here; its file holds them in base64."""
LEAST_BYTES: Final = 16
LEAST_DIFFERENT_BYTES: Final = 8
"""A secret with fewer can be guessed; nearly every random one of sixteen bytes has more."""

KEY_CHECK_BYTES: Final = 16
KEY_CHECK_COST: Final = 1 << 15
"""scrypt's N; with r = 8 one guess takes 32 MiB and about a tenth of a second."""
KEY_CHECK_LABEL: Final = b"hushlink key check v1\0"


class Secret:
    """The secret that all parties of a project share, in bytes exactly as agreed.

    Raises:
        TypeError: the value is not bytes (text has no agreed encoding: encode it first).
        InvalidSecret: it is empty or longer than `SECRET_BYTES`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if not isinstance(value, bytes):
            raise TypeError(f"a secret is bytes, not {type(value).__name__}")
        if not value:
            raise InvalidSecret("the linkage secret is empty: agree on one with the other parties")
        if len(value) > SECRET_BYTES:
            raise InvalidSecret(f"the linkage secret is longer than {SECRET_BYTES} bytes")
        self._value = value

    def reveal(self) -> bytes:
        """Give the bytes, to be used at once and stored nowhere."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a set of secrets would be a mistake

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled: it stays in its process")


class InvalidSecret(errors.CallerError):
    """A secret, or the file it should be in, cannot be used."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(errors.Reason.KEY_UNKNOWN, message, **facts)


@dataclass(frozen=True, slots=True)
class FeatureKeys:
    """The two keys of one column: blakeHash uses the first, doubleHash both."""

    first: bytes = field(repr=False)
    second: bytes = field(repr=False)


def read_secret(path: str | pathlib.Path) -> Secret:
    """Read a secret file: its bytes with one trailing LF or CRLF removed, nothing else.

    Raises:
        InvalidSecret: the file is missing, unreadable, empty or longer than `SECRET_BYTES`; the
            message names the path and the cause.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            content = file.read(SECRET_BYTES + 3)  # one more than a secret and its line end
    except OSError as fault:
        cause = fault.strerror or type(fault).__name__
        raise InvalidSecret(f"cannot read the secret file {path}: {cause}", path=path) from None
    if content.endswith(b"\n"):
        content = content[:-2] if content.endswith(b"\r\n") else content[:-1]
    if not content:
        raise InvalidSecret(f"the secret file {path} is empty", path=path)
    if len(content) > SECRET_BYTES:
        message = f"the secret file {path} is longer than {SECRET_BYTES} bytes: is it the right file?"
        raise InvalidSecret(message, path=path)
    return Secret(content)


def write_new_secret(path: str | pathlib.Path) -> Secret:
    """Draw a secret and write its file, which only its owner may read (where the system knows owners).

    The file holds 32 random bytes in base64 and a line end; the base64 text is the secret.

    Raises:
        InvalidSecret: something of this name exists, whatever it is, or the file cannot be written;
            the message names the path and the cause, and nothing is left behind.
    """
    target = pathlib.Path(path)
    text = base64.b64encode(secrets.token_bytes(NEW_SECRET_BYTES)) + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(target, flags, 0o600)
    except FileExistsError:
        message = f"{path} exists, and a secret that is overwritten is lost: choose another name"
        raise InvalidSecret(message, path=path) from None
    except OSError as fault:
        raise _unwritable(path, fault) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        with contextlib.suppress(OSError):
            target.unlink()
        raise _unwritable(path, fault) from None
    return read_secret(target)


def weakness(secret: Secret) -> str | None:
    """Say why a secret can be guessed, None if nothing is known against it. The text shows nothing of it.

    Only length and variety are looked at: a long sentence out of a book passes, and can be guessed.
    """
    content = secret.reveal()
    if len(content) < LEAST_BYTES:
        return f"it is shorter than {LEAST_BYTES} bytes"
    if len(set(content)) < LEAST_DIFFERENT_BYTES:
        return f"it has fewer than {LEAST_DIFFERENT_BYTES} different bytes"
    return None


def _unwritable(path: str | pathlib.Path, fault: OSError) -> InvalidSecret:
    cause = fault.strerror or type(fault).__name__
    return InvalidSecret(f"cannot write the secret file {path}: {cause}", path=path)


def derive(secret: Secret, agreed: schema.LinkageSchema) -> tuple[FeatureKeys, ...]:
    """Derive the keys of every column, ignored ones too, by HKDF (RFC 5869).

    Position alone selects a column's keys: exchanging two columns changes every encoding.
    """
    kdf = agreed.kdf
    size = kdf.key_size
    count = len(agreed.columns)
    algorithm = hashes.SHA256() if kdf.hash is schema.KdfHash.SHA256 else hashes.SHA512()
    material = hkdf.HKDF(algorithm, length=2 * size * count, salt=kdf.salt or None, info=kdf.info).derive(
        secret.reveal()
    )
    cut = [material[start : start + size] for start in range(0, len(material), size)]
    return tuple(FeatureKeys(cut[2 * index], cut[2 * index + 1]) for index in range(count))


def key_check(secret: Secret | bytes, fingerprint: bytes, project_id: str) -> bytes:
    """Give 16 bytes that are equal exactly when two parties share secret, schema and project.

    They travel in the header of every upload, so that a party with another secret is refused
    before anything is compared. They come from scrypt, whose cost makes guessing slow; a secret
    of little entropy can still be guessed from them.

    Args:
        secret: the linkage secret.
        fingerprint: the schema's, 32 bytes.
        project_id: the project's id, text of at least one character.
    """
    if len(fingerprint) != 32:
        raise ValueError(f"a schema fingerprint has 32 bytes, not {len(fingerprint)}")
    if not project_id:
        raise ValueError("a key check needs the id of the project")
    shared = secret if isinstance(secret, Secret) else Secret(secret)
    salt = KEY_CHECK_LABEL + fingerprint + project_id.encode("utf-8")
    kdf = scrypt.Scrypt(salt=salt, length=KEY_CHECK_BYTES, n=KEY_CHECK_COST, r=8, p=1)
    return kdf.derive(shared.reveal())
