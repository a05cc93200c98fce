"""Secrets that are made here, and secrets that can be guessed."""

from __future__ import annotations

import base64
import errno
import logging
import os
import pathlib
import stat

import pytest

import hushlink_encoder
from hushlink_encoder import keyring

CANARY = b"canary-7Qx"


def test_a_new_secret_is_32_random_bytes_in_base64_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "secret"
    made = hushlink_encoder.write_new_secret(path)
    content = path.read_bytes()
    assert content.endswith(b"\n") and b"\r" not in content
    assert len(base64.b64decode(content.rstrip(b"\n"), validate=True)) == 32
    assert hushlink_encoder.read_secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert hushlink_encoder.weakness(made) is None


def test_no_two_are_equal(tmp_path: pathlib.Path) -> None:
    made = {hushlink_encoder.write_new_secret(tmp_path / str(number)).reveal() for number in range(50)}
    assert len(made) == 50


def test_what_exists_is_never_overwritten(tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(CANARY)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for path in (kept, tmp_path / "nowhere", tmp_path):
        with pytest.raises(hushlink_encoder.InvalidSecret, match="exists") as caught:
            hushlink_encoder.write_new_secret(path)
        assert str(path) in str(caught.value)
    assert kept.read_bytes() == CANARY
    assert not (tmp_path / "missing").exists()


def test_a_file_that_cannot_be_written_is_not_left_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(hushlink_encoder.InvalidSecret, match="cannot write"):
        hushlink_encoder.write_new_secret(tmp_path / "no folder" / "secret")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(hushlink_encoder.InvalidSecret, match="No space") as caught:
        hushlink_encoder.write_new_secret(tmp_path / "secret")
    assert str(tmp_path / "secret") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x", "shorter"),
        (bytes(range(15)), "shorter"),
        (b"abcabcabcabcabcabcabcabc", "different"),
        (b"0" * 1000, "different"),
        (bytes(range(16)), None),
        (b"0123456789abcdef0123456789abcdef", None),
    ],
)
def test_weak_secrets(content: bytes, why: str | None) -> None:
    found = hushlink_encoder.weakness(hushlink_encoder.Secret(content))
    assert found is None if why is None else found is not None and why in found
    assert content.decode("latin-1") not in (found or "")


def test_an_encoders_log_warns_of_a_weak_secret_by_its_name(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "weak").write_bytes(CANARY)
    hushlink_encoder.write_new_secret(tmp_path / "strong")
    ring = keyring.Keyring(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert ring.secret("strong").reveal()
        assert not caplog.records
        assert ring.secret("weak").reveal() == CANARY
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert vars(record)["key_name"] == "weak"
    assert CANARY.decode() not in str(vars(record))
