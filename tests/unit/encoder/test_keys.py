"""The secret: how it is read, what is derived from it, and that it never shows."""

import hashlib
import hmac
import pathlib

import pytest

import hushlink_encoder
from hushlink_domain import errors, schema
from hushlink_encoder import keys

CANARY = b"canary-7Qx"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"abc", b"abc"),
        (b"abc\n", b"abc"),
        (b"abc\r\n", b"abc"),
        (b"abc\n\n", b"abc\n"),
        (b"abc\r", b"abc\r"),
        (b" abc \n", b" abc "),
        (b"\xef\xbb\xbfabc", b"\xef\xbb\xbfabc"),
        (b"\0\xff\n", b"\0\xff"),
        (b"a\r\nb\r\n", b"a\r\nb"),
        (b"x" * keys.SECRET_BYTES + b"\r\n", b"x" * keys.SECRET_BYTES),
    ],
)
def test_a_secret_file_is_its_bytes_less_one_line_end(tmp_path: pathlib.Path, content: bytes, secret: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert hushlink_encoder.read_secret(path).reveal() == secret
    assert hushlink_encoder.read_secret(str(path)) == hushlink_encoder.Secret(secret)


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"x" * (keys.SECRET_BYTES + 1), CANARY * 100_000])
def test_unusable_secret_files(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(hushlink_encoder.InvalidSecret, match="secret file") as caught:
        hushlink_encoder.read_secret(path)
    assert str(path) in str(caught.value) and CANARY.decode() not in str(caught.value)


def test_unreadable_secret_files(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(hushlink_encoder.InvalidSecret) as caught:
            hushlink_encoder.read_secret(path)
        assert str(path) in str(caught.value)
        assert isinstance(caught.value, errors.CallerError)


def test_secrets_are_bytes() -> None:
    with pytest.raises(TypeError, match="str"):
        hushlink_encoder.Secret(CANARY.decode())  # type: ignore[arg-type]
    with pytest.raises(hushlink_encoder.InvalidSecret, match="empty"):
        hushlink_encoder.Secret(b"")
    assert CANARY.decode() not in repr(hushlink_encoder.Secret(CANARY))


def hkdf_by_the_book(secret: bytes, salt: bytes, info: bytes, length: int, name: str) -> bytes:
    """RFC 5869 in a few lines, as an oracle."""
    size = hashlib.new(name).digest_size
    extracted = hmac.digest(salt or bytes(size), secret, name)
    output = block = b""
    for counter in range(1, -(-length // size) + 1):
        block = hmac.digest(extracted, block + info + bytes([counter]), name)
        output += block
    return output[:length]


@pytest.mark.parametrize(("kdf_hash", "name"), [(schema.KdfHash.SHA256, "sha256"), (schema.KdfHash.SHA512, "sha512")])
@pytest.mark.parametrize(("salt", "info"), [(b"", b""), (b"salt", b"info")])
@pytest.mark.parametrize("key_size", [1, 20, 64])
def test_keys_are_hkdf(kdf_hash: schema.KdfHash, name: str, salt: bytes, info: bytes, key_size: int) -> None:
    columns = tuple(schema.IgnoredColumn(str(index)) for index in range(3))
    agreed = schema.LinkageSchema(64, columns, schema.KeyDerivation(kdf_hash, salt, info, key_size))
    material = hkdf_by_the_book(CANARY, salt, info, 6 * key_size, name)
    derived = keys.derive(keys.Secret(CANARY), agreed)
    assert b"".join(pair.first + pair.second for pair in derived) == material
    assert repr(derived[0]) == "FeatureKeys()"


def test_key_check() -> None:
    fingerprint = bytes(range(32))
    check = hushlink_encoder.key_check(CANARY, fingerprint, "project")
    assert len(check) == 16
    assert check == hashlib.scrypt(
        CANARY,
        salt=b"hushlink key check v1\0" + fingerprint + b"project",
        n=1 << 15,
        r=8,
        p=1,
        dklen=16,
        maxmem=1 << 26,
    )
    assert check == hushlink_encoder.key_check(hushlink_encoder.Secret(CANARY), fingerprint, "project")
    others = {
        hushlink_encoder.key_check(CANARY + b"!", fingerprint, "project"),
        hushlink_encoder.key_check(CANARY, bytes(32), "project"),
        hushlink_encoder.key_check(CANARY, fingerprint, "project2"),
    }
    assert len(others | {check}) == 4


def test_key_check_refuses_what_is_not_agreed() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        hushlink_encoder.key_check(CANARY, b"short", "project")
    with pytest.raises(ValueError, match="project"):
        hushlink_encoder.key_check(CANARY, bytes(32), "")
