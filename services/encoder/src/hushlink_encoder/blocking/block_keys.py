"""The keys of blocks, and the key they are made with.

Keyed mode: 16 bytes under keys that HKDF (RFC 5869, SHA-256) derives from the secret with labels of their own and the
configuration's fingerprint, so that they share nothing with the keys of encodings nor with those of other
configurations. A signature goes through keyed BLAKE2b. A sample of bits, of which a record has many, goes through one
block of AES-256, which permutes 16 bytes pseudo-randomly, or, where it is too long for a block, through BLAKE2b.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
from cryptography.hazmat.primitives import ciphers, hashes
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.kdf import hkdf
from numpy import typing as npt

from hushlink_encoder import keys

LABEL: Final = b"hushlink blocking v1\0"
KEY_BYTES: Final = 16
"""A block's key; two blocks among 2^40 share one with a chance of 2^-48."""
_TABLE_BYTES: Final = 4
_MADE_KEY_BYTES: Final = 32


class KeyedNames:
    """Makes the keys of blocks from what their records have in common."""

    def __init__(self, secret: keys.Secret, fingerprint: bytes) -> None:
        material = hkdf.HKDF(hashes.SHA256(), 2 * _MADE_KEY_BYTES, None, LABEL + fingerprint).derive(secret.reveal())
        self._hash = hashlib.blake2b(key=material[:_MADE_KEY_BYTES], digest_size=KEY_BYTES)
        self._cipher = algorithms.AES(material[_MADE_KEY_BYTES:])

    def __repr__(self) -> str:
        return "KeyedNames()"

    def of_signatures(self, signatures: Iterable[str]) -> list[str]:
        """The key of each signature, in hexadecimal."""
        return _texts(self._hashed(map(str.encode, signatures)))

    def of_samples(self, table: int, samples: npt.NDArray[np.uint8]) -> list[str]:
        """The key of each sample of a table: rows of packed bits, unused ones zero; in hexadecimal."""
        number = table.to_bytes(_TABLE_BYTES, "big")
        width = samples.shape[1]
        if width > KEY_BYTES - _TABLE_BYTES:
            return _texts(self._hashed(number + sample.tobytes() for sample in samples))
        plain = np.zeros((len(samples), KEY_BYTES), np.uint8)
        plain[:, :_TABLE_BYTES] = np.frombuffer(number, np.uint8)
        plain[:, _TABLE_BYTES : _TABLE_BYTES + width] = samples
        # Block by block is what is wanted: no two blocks that go in are equal, and each stands for itself.
        cipher = ciphers.Cipher(self._cipher, modes.ECB())  # noqa: S305
        return _texts(cipher.encryptor().update(plain.tobytes()))

    def _hashed(self, contents: Iterable[bytes]) -> bytes:
        keyed, digests = self._hash.copy, []
        for content in contents:
            hashing = keyed()
            hashing.update(content)
            digests.append(hashing.digest())
        return b"".join(digests)


def _texts(joined: bytes) -> list[str]:
    text, width = joined.hex(), 2 * KEY_BYTES
    return [text[start : start + width] for start in range(0, len(text), width)]
