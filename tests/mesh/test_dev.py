"""``hushlink dev`` from outside: it comes up, keeps its data, tells what dies, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import stat

from tests.support import mesh as meshes


def test_data_and_ports_stay_between_starts(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    rights = tmp_path / "rights"
    with meshes.started("--data", str(data)) as first:
        parts = first.processes()
        assert len(parts) >= 6
        made = meshes.hushlink(
            *("project", "create", "--coordinator", first.coordinator, "--rights-dir", rights, "--json"),
            *("--name", "kept", "--party", "one", "--party", "two"),
        )
        assert made.returncode == 0, made.stderr
        project = json.loads(made.stdout)["project_id"]
        assert json.loads((data / "endpoints.json").read_text()) == first.facts
        assert first.ended(signal.SIGINT) == 0
        assert not any(map(meshes.runs, parts))
        assert not (data / "endpoints.json").exists()
    with meshes.started("--data", str(data)) as second:
        assert second.facts["endpoints"] == first.facts["endpoints"]
        shown = meshes.hushlink(
            *("project", "show", "--coordinator", second.coordinator, "--project", project, "--json"),
            *("--right-file", rights / "owner.right"),
        )
        assert json.loads(shown.stdout)["name"] == "kept"
        assert second.ended(signal.SIGTERM) == 0


def test_a_second_start_is_refused_and_a_part_that_dies_is_told(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with meshes.started("--data", str(data)) as started:
        parts = started.processes()
        refused = meshes.hushlink("dev", "--data", data)
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1
        assert f"process {started.keeper.pid} keeps a mesh up" in refused.stderr
        assert all(map(meshes.runs, parts)), "the first is unharmed"
        os.kill(started.pid("matcher-1"), signal.SIGKILL)
        meshes.eventually(lambda: "matcher-1 was killed by signal 9" in started.errors.read_text())
        assert str(started.data / "logs" / "matcher-1.log") in started.errors.read_text()
        made = meshes.hushlink(
            *("project", "create", "--coordinator", started.coordinator, "--rights-dir", tmp_path / "rights"),
            *("--party", "one", "--party", "two"),
        )
        assert made.returncode == 0, made.stderr
        assert started.ended(signal.SIGINT) == 0
        assert not any(map(meshes.runs, parts))


def test_nothing_outlives_a_killed_mesh_and_its_data_can_be_used_again(data: pathlib.Path) -> None:
    with meshes.started("--data", str(data)) as first:
        parts = first.processes()
        first.keeper.kill()
        meshes.eventually(lambda: not any(map(meshes.runs, parts)))
    with meshes.started("--data", str(data), "--matchers", "1") as second:
        # As a crash of the whole machine would leave it: a cluster that says it runs.
        for pid in second.processes():
            with contextlib.suppress(ProcessLookupError):  # it fell with the one before
                os.kill(pid, signal.SIGKILL)
        second.keeper.kill()
    with meshes.started("--data", str(data), "--matchers", "1") as third:
        assert third.ended() == 0


def test_interrupted_while_it_starts(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with meshes.starting(tmp_path, "--data", str(data)) as (keeper, errors):
        meshes.eventually(lambda: meshes.descendants(keeper.pid))
        parts = meshes.descendants(keeper.pid)
        keeper.send_signal(signal.SIGINT)
        assert keeper.wait(meshes.PATIENCE_SECONDS) == 0
        assert "Traceback" not in errors.read_text()
        assert not any(map(meshes.runs, parts))


def test_an_ephemeral_mesh_leaves_no_folder_and_keeps_to_the_port_it_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with meshes.started("--ephemeral", "--matchers", "1", "--coordinator-port", str(port)) as started:
        assert started.coordinator == f"127.0.0.1:{port}"
        assert started.data.is_dir()
        annexe = started.data / "annexe"
        beside = pathlib.Path(annexe.read_text()) if annexe.exists() else None
        assert started.ended() == 0
        assert not started.data.exists()
        assert beside is None or not beside.exists()


def test_nobody_else_enters_the_data_and_no_argument_shows_a_secret(mesh: meshes.StartedMesh) -> None:
    annexe = mesh.data / "annexe"
    home = pathlib.Path(annexe.read_text()) if annexe.exists() else mesh.data / "postgres"
    for private in (mesh.data, mesh.data / "secrets.json", home / "cluster"):
        assert stat.S_IMODE(private.stat().st_mode) & 0o077 == 0, private
    assert (home / "cluster").stat().st_uid != 0, "Postgres would not run as root"
    secrets = mesh.secrets().values()
    for pid in mesh.processes():
        arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(secret in arguments for secret in secrets)


def test_a_port_that_is_taken_is_named(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        refused = meshes.hushlink("dev", "--data", tmp_path / "data", "--coordinator-port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == (f"hushlink: port {port}, wanted for coordinator, is taken: name another, or none\n")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    refused = meshes.hushlink("dev", "--data", tmp_path)
    assert refused.returncode == 1
    assert "is not empty and no data folder of Hushlink" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_the_operators_right_lists_every_project(mesh: meshes.StartedMesh, tmp_path: pathlib.Path) -> None:
    created = meshes.hushlink(
        *("project", "create", "--coordinator", mesh.coordinator, "--party", "north", "--party", "south"),
        *("--rights-dir", tmp_path / "rights", "--json"),
    )
    assert created.returncode == 0, created.stderr
    listed = meshes.hushlink(
        *(
            "project",
            "list",
            "--coordinator",
            mesh.coordinator,
            "--right-file",
            mesh.facts["operator_right_file"],
            "--json",
        )
    )
    assert listed.returncode == 0, listed.stderr
    assert json.loads(created.stdout)["project_id"] in listed.stdout
