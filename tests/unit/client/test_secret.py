"""``hushlink secret`` from outside: nothing of a secret is ever shown."""

from __future__ import annotations

import json
import pathlib
import stat

import hushlink_encoder
from hushlink_domain import schema
from tests.support import people
from tests.support.command_line import CommandLine


def test_a_new_secret(tmp_path: pathlib.Path, command_line: CommandLine) -> None:
    path = tmp_path / "agreed"
    made = command_line("secret", "new", path)
    assert made.returncode == 0, made.stderr
    content = path.read_text().strip()
    assert len(content) == 44
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in made.stderr
    again = command_line("secret", "new", path, "--json")
    assert again.returncode == 2
    assert again.stdout == "" and "exists" in again.stderr
    assert path.read_text().strip() == content
    assert content not in made.stdout + made.stderr + again.stderr


def test_key_checks_tell_secrets_apart_and_show_neither(tmp_path: pathlib.Path, command_line: CommandLine) -> None:
    people.agreement(tmp_path)
    agreed = schema.parse_json((tmp_path / "schema.json").read_bytes())
    (tmp_path / "weak").write_bytes(b"canary-7Qx\n")
    said = {}
    for name in ("secret", "weak"):
        options = ("--schema", tmp_path / "schema.json", "--project", "p1", "--json")
        done = command_line("secret", "check", tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
        secret = hushlink_encoder.read_secret(tmp_path / name)
        check = hushlink_encoder.key_check(secret, agreed.fingerprint(), "p1")
        assert json.loads(done.stdout) == {"key_check": check.hex()}
        assert secret.reveal().decode() not in done.stdout + done.stderr
        said[name] = done.stderr
    assert said["secret"] == ""
    assert said["weak"].count("\n") == 1
    assert said["weak"].startswith("warning: ") and "shorter than 16 bytes" in said["weak"]
