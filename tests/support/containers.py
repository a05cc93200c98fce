"""Images built and containers run by podman, in a storage of its own that goes with the block.

The base images are made from the distribution's own packages, by the mirror that this machine installs from: no image
registry is asked for anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import platform
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from tests.support import foreign_servers, repository

_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
_BUILD_SECONDS = 900
BASE = "localhost/base"
BUILD_BASE = "localhost/build-base"
# Kept from the image: what a compiler and the virtual environments of a build need.
_BUILD_BASE_FILE = f"""\
FROM {BASE}
RUN apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev python3-dev python3-venv >/dev/null
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """A container that has ended."""

    status: int
    output: str
    errors: str


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """A container that runs."""

    engine: Engine
    name: str

    def logs(self) -> str:
        """What it has written so far."""
        return self.engine.run("logs", self.name).errors

    def stopped(self) -> int:
        """Ask it to end, and return its exit status."""
        self.engine.do("stop", "--time", "30", self.name)
        return int(self.engine.do("wait", self.name))


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """podman, with all it keeps in one folder."""

    folder: pathlib.Path

    def run(self, *arguments: str, stdin: str | None = None) -> Ended:
        """One command of podman's."""
        environment = {
            **foreign_servers.minimal_environment({}),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "TMPDIR": str(self.folder / "tmp"),
        }
        environment |= {name: text for name, text in os.environ.items() if name.lower().endswith("_proxy")}
        done = subprocess.run(
            [foreign_servers.program("podman"), *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def do(self, *arguments: str, stdin: str | None = None) -> str:
        """What a command that succeeds prints."""
        done = self.run(*arguments, stdin=stdin)
        assert done.status == 0, f"podman {arguments[:2]}:\n{done.output[-3000:]}\n{done.errors[-3000:]}"
        return done.output.strip()

    def make_bases(self) -> None:
        """Make ``BASE``, a Python and nothing else, and ``BUILD_BASE``, with a compiler."""
        root = self.folder / "root"
        packages = "--include=ca-certificates,python3"
        mirror, codename = _mirror()
        command = [foreign_servers.program("debootstrap"), "--variant=minbase", packages, codename, str(root), mirror]
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)
        assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
        archive = self.folder / "base.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True, timeout=_BUILD_SECONDS)
        shutil.rmtree(root)
        self.do("import", "--quiet", str(archive), BASE)
        archive.unlink()
        self.do(
            "build",
            "--quiet",
            "--network=host",
            "--tag",
            BUILD_BASE,
            "-f",
            "-",
            str(self.folder / "tmp"),
            stdin=_BUILD_BASE_FILE,
        )

    def build(self, service: str) -> str:
        """Build a service's image as a stranger would, but for the bases; gives its name."""
        image = f"localhost/hushlink-{service}"
        arguments = {"SERVICE": service, "BASE": BASE, "BUILD_BASE": BUILD_BASE}
        options = [f"--build-arg={name}={text}" for name, text in arguments.items()]
        options += [f"--secret=id={name},src={path}" for name, path in self._installer_secrets().items()]
        dockerfile = repository.ROOT / "deploy" / "Dockerfile"
        self.do(
            *("build", "--quiet", "--network=host", "--format=docker", "--tag", image, *options),
            *("-f", str(dockerfile), str(repository.ROOT)),
        )
        return image

    def _installer_secrets(self) -> dict[str, pathlib.Path]:
        """The package installer's configuration, where this machine needs one."""
        authorities = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        lines = ["[global]"]
        secrets = {}
        if authorities:
            lines.append("cert = /run/secrets/ca.pem")
            secrets["ca.pem"] = pathlib.Path(authorities)
        if index := os.environ.get("PIP_INDEX_URL"):
            lines.append(f"index-url = {index}")
        secrets["pip.conf"] = self.folder / "pip.conf"
        secrets["pip.conf"].write_text("\n".join(lines) + "\n")
        return secrets

    @contextlib.contextmanager
    def running(self, image: str, name: str, settings: Mapping[str, str], *options: str) -> Iterator[Container]:
        """A container with no power at all, on the host's network, with ``settings`` as its environment."""
        file = self.folder / f"{name}.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{key}={text}\n" for key, text in settings.items()))
        self.do(
            "run", "--detach", "--name", name, "--network=host", "--env-file", str(file), *POWERLESS, *options, image
        )
        try:
            yield Container(self, name)
        finally:
            self.run("rm", "--force", "--time", "5", name)


POWERLESS: Sequence[str] = (
    *("--user", "65532:65532", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--tmpfs", "/tmp", "--pids-limit=256"),
)


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """podman with an empty storage."""
    with tempfile.TemporaryDirectory(prefix="hushlink-containers-") as place:
        folder = pathlib.Path(place)
        files = min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        (folder / "containers.conf").write_text(_CONFIGURATION.format(files=files))
        (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
        (folder / "tmp").mkdir()
        podman = Engine(folder)
        try:
            yield podman
        finally:
            podman.run("system", "reset", "--force")
            _unmount(folder)


def _unmount(folder: pathlib.Path) -> None:
    """Take away what is still mounted below ``folder``, as after a build that was cut."""
    mounted = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in sorted((place for place in mounted if pathlib.Path(place).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=True)


def _mirror() -> tuple[str, str]:
    """Where this machine's packages come from, and its release's name."""
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"]
    for line in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines():
        uri, _, release = line.rpartition(" ")
        if re.fullmatch(re.escape(codename), release):
            return uri, codename
    raise AssertionError("apt knows no mirror: run apt-get update")
