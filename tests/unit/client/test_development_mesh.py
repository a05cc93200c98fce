"""The development mesh's own parts: accounts, ports, the data folder, processes."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
import signal
import socket
import stat
import sys

import pytest

from hushlink_client import errors
from hushlink_client.dev import account, folder, ports, processes
from tests.support import mesh as meshes

SOMEBODY = account.Account(54_321, 54_322)


@pytest.mark.parametrize(
    ("modes", "reaches"),
    [((0o755, 0o755), True), ((0o711, 0o755), True), ((0o755, 0o711), False), ((0o750, 0o755), False)],
)
def test_whether_an_account_may_enter(tmp_path: pathlib.Path, modes: tuple[int, int], reaches: bool) -> None:
    place = tmp_path / "outer" / "inner"
    place.mkdir(parents=True)
    place.parent.chmod(modes[0])
    place.chmod(modes[1])
    closed = [step for step in tmp_path.resolve().parents if not step.stat().st_mode & stat.S_IXOTH]
    closed += [] if tmp_path.stat().st_mode & stat.S_IXOTH else [tmp_path]
    assert SOMEBODY.may_enter(place) is (reaches and not closed)
    owner = account.Account(os.geteuid(), os.getegid())
    assert owner.may_enter(place)


async def test_a_port_that_is_stolen_is_given_up() -> None:
    tried: list[int] = []
    with socket.socket() as thief:

        async def start(port: int) -> int:
            tried.append(port)
            if len(tried) == 1:
                thief.bind((ports.LOOPBACK, port))
                raise errors.MeshError("taken")
            return port

        assert await ports.claimed(None, start) == tried[1] != tried[0]


async def test_a_failure_that_is_not_the_ports_is_told_at_once() -> None:
    tried: list[int] = []

    async def start(port: int) -> None:
        tried.append(port)
        raise errors.MeshError("broken")

    wish = ports.any_free()
    with pytest.raises(errors.MeshError, match="broken"):
        await ports.claimed(wish, start)
    assert tried == [wish]


async def test_a_data_folder_is_ours_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "data"
    async with folder.lasting(path) as first:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        drawn, fresh = first.secrets()
        assert fresh
        assert repr(drawn) == "Secrets()"
        assert stat.S_IMODE((path / "secrets.json").stat().st_mode) == 0o600
        with pytest.raises(errors.MeshError, match=f"process {os.getpid()} keeps"):
            async with folder.lasting(path):
                pass
    async with folder.lasting(path) as second:
        assert second.secrets() == (drawn, False)


async def test_a_passing_folder_goes_and_takes_forgotten_ones_along(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    forgotten, foreign = tmp_path / "hushlink-dev-forgotten", tmp_path / "hushlink-dev-foreign"
    for path in (forgotten, foreign):
        path.mkdir()
    (forgotten / "lock").write_text("4194304\n")
    async with folder.passing() as held:
        assert held.path.name in _names(tmp_path)
        async with folder.passing() as other:
            assert held.path.exists()
            assert other.path != held.path
    assert _names(tmp_path) == {foreign.name}


def _names(path: pathlib.Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


async def test_an_annexe_goes_along_with_a_folder_that_is_moved_but_not_with_a_copy(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annexes = tmp_path / "annexes"
    annexes.mkdir()
    monkeypatch.setattr(folder, "_LASTING_ANNEXES", annexes)
    first, moved, copy = tmp_path / "first", tmp_path / "moved", tmp_path / "copy"
    async with folder.lasting(first) as held:
        annexe = held.annexe()
        assert annexe.parent == annexes
        assert held.annexe() == annexe
    first.rename(moved)
    async with folder.lasting(moved) as held:
        assert held.annexe() == annexe
    shutil.copytree(moved, copy)
    async with folder.lasting(copy) as held:
        with pytest.raises(errors.MeshError, match="is a copy of"):
            held.annexe()
    async with folder.lasting(first) as held:  # made anew where the first was
        another = held.annexe()
        assert another != annexe
    shutil.rmtree(first)
    async with folder.lasting(first) as held:  # and again, after it was removed
        assert held.annexe() == another


def crew(tmp_path: pathlib.Path, deaths: list[str]) -> processes.Crew:
    return processes.Crew(tmp_path, [], lambda process: deaths.append(f"{process.name} {process.ending}"))


def program(name: str, script: str, **fields: object) -> processes.Program:
    return processes.Program(name, (sys.executable, "-c", script), {"SET": "1"}, **fields)  # type: ignore[arg-type]


async def test_a_process_gets_nothing_it_was_not_given(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUSHLINK_SECRET", "inherited")
    one = crew(tmp_path, [])
    await one.run(program("env", "import os; print(sorted(os.environ))"))
    one.close()
    shown = (tmp_path / "env.log").read_text()
    assert "SET" in shown
    assert "HUSHLINK_SECRET" not in shown
    assert stat.S_IMODE((tmp_path / "env.log").stat().st_mode) == 0o600


async def test_a_process_that_does_not_listen_is_killed(tmp_path: pathlib.Path) -> None:
    deaths: list[str] = []
    one = crew(tmp_path, deaths)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    async with one.running(program("deaf", deaf, stop_seconds=0.1)) as process:
        await asyncio.to_thread(meshes.eventually, lambda: "up" in process.log.read_text())
        one.watch(process)
    assert process.ending == "was killed by signal 9 (SIGKILL)"
    assert deaths == [], "its end was asked for"
    one.close()


async def test_a_death_is_told(tmp_path: pathlib.Path) -> None:
    told = asyncio.Event()
    deaths: list[str] = []

    def on_death(process: processes.Process) -> None:
        deaths.append(f"{process.name} {process.ending}")
        told.set()

    one = processes.Crew(tmp_path, [], on_death)
    async with one.running(program("mortal", "import time; time.sleep(600)", tethered=True)) as process:
        one.watch(process)
        os.kill(process.pid, signal.SIGKILL)
        await told.wait()
    assert deaths == ["mortal was killed by signal 9 (SIGKILL)"]
    one.close()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise SystemExit(3)", "ended with exit status 3; its last words: (none)"),
        ("print('first'); raise SystemExit('the end')", "exit status 1; its last words: "),
        (
            """print('{"message": "it ends", "trace": "Traceback\\\\n File\\\\nOSError: no disk"}'); exit(1)""",
            "its last words: it ends: OSError: no disk",
        ),
    ],
)
async def test_a_process_that_ends_before_it_is_ready_says_why(tmp_path: pathlib.Path, script: str, words: str) -> None:
    one = crew(tmp_path, [])
    with pytest.raises(errors.MeshError) as raised:
        async with one.running(program("early", script)) as process:
            await process.until(asyncio.Event().wait(), 30)
    assert words in str(raised.value)
    assert str(raised.value).count("\n") == 0
    one.close()


async def test_a_process_that_is_never_ready_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    one = crew(tmp_path, [])
    with pytest.raises(errors.MeshError, match=r"slow was not ready after 0\.1 seconds"):
        async with one.running(program("slow", "import time; time.sleep(600)")) as process:
            await process.until(asyncio.Event().wait(), 0.1)
    assert not process.running
    one.close()


async def test_the_log_of_the_last_start_is_kept(tmp_path: pathlib.Path) -> None:
    one = crew(tmp_path, [])
    for word in ("first", "second"):
        async with one.running(program("part", f"print({word!r})")) as process:
            await process.wait()
    assert (tmp_path / "part.log").read_text() == "second\n"
    assert (tmp_path / "part.log.old").read_text() == "first\n"
    one.close()
