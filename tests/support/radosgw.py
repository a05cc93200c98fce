"""Ceph's S3 gateway over TLS, on a cluster of one monitor and one object daemon that keeps everything in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import uuid
from collections.abc import Iterator

from hushlink_client.dev import ports
from tests.support import foreign_servers, object_stores

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor_port}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
mon allow pool size one = true
mon data avail crit = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
mon data = {folder}/monitor
osd data = {folder}/store
rgw frontends = beast ssl_endpoint=127.0.0.1:{port} ssl_certificate={certificate}
"""
_KEYS = (
    ("mon.", ("mon", "allow *")),
    ("client.admin", ("mon", "allow *", "osd", "allow *", "mgr", "allow *", "mds", "allow *")),
    ("osd.0", ("mon", "allow profile osd", "osd", "allow *")),
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Cluster:
    """A cluster in a folder of its own."""

    folder: pathlib.Path
    fsid: str
    monitor_port: int

    @property
    def environment(self) -> dict[str, str]:
        return {"CEPH_CONF": str(self.folder / "ceph.conf")}

    def do(self, name: str, *arguments: str) -> str:
        """What one of Ceph's programs prints."""
        done = subprocess.run(
            [foreign_servers.program(name), *arguments],
            env=foreign_servers.minimal_environment(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=foreign_servers.START_SECONDS,
        )
        assert done.returncode == 0, f"{name} {arguments[:2]}: {done.stderr[-2000:]}"
        return done.stdout

    def running(self, name: str, *arguments: str) -> contextlib.AbstractContextManager[None]:
        """One of Ceph's servers, in the foreground."""
        log = self.folder / f"{name}.out"
        return foreign_servers.running(name, "-f", *arguments, log=log, environment=self.environment)

    def create(self) -> None:
        """Make the keys and the monitor's data."""
        keyring, monitors = str(self.folder / "keyring"), str(self.folder / "monmap")
        for number, (name, rights) in enumerate(_KEYS):
            caps = [part for who, may in zip(rights[::2], rights[1::2], strict=True) for part in ("--cap", who, may)]
            created = () if number else ("--create-keyring",)
            self.do("ceph-authtool", *created, keyring, "--gen-key", "-n", name, *caps)
        address = f"[v2:127.0.0.1:{self.monitor_port}]"
        self.do("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", address, monitors)
        self.do("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors, "--keyring", keyring)

    def add_store(self) -> None:
        """Make the object daemon's data; the monitor, which has its key, must run."""
        identity = str(uuid.uuid4())
        self.do("ceph", "osd", "new", identity, "0")
        (self.folder / "store").mkdir()
        self.do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)

    def has_store(self) -> bool:
        """Whether the object daemon has joined."""
        return bool(json.loads(self.do("ceph", "osd", "stat", "--format", "json"))["num_up_osds"] == 1)


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[object_stores.ObjectStore]:
    """The gateway, with a user of its own; what it keeps goes with the block."""
    certificate, port = object_stores.Certificate.issue(folder), ports.any_free()
    cluster = _Cluster(folder, str(uuid.uuid4()), ports.any_free())
    text = _CONFIGURATION.format(
        folder=folder,
        fsid=cluster.fsid,
        monitor_port=cluster.monitor_port,
        port=port,
        certificate=certificate.key_and_chain,
    )
    (folder / "ceph.conf").write_text(text)
    cluster.create()
    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.running("ceph-mon", "-i", "a"))
        cluster.add_store()
        stack.enter_context(cluster.running("ceph-osd", "-i", "0"))
        foreign_servers.wait_until(cluster.has_store, "the object daemon", folder / "ceph-osd.out")
        stack.enter_context(cluster.running("radosgw", "-n", "client.admin", "--rgw-zone=default"))
        log = folder / "radosgw.out"
        foreign_servers.wait_until(lambda: foreign_servers.speaks_tls(port, certificate.ca), "radosgw", log)
        user = cluster.do("radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests")
        keys = json.loads(user)["keys"][0]
        yield object_stores.ObjectStore(
            f"https://{ports.LOOPBACK}:{port}", keys["access_key"], keys["secret_key"], certificate.ca
        )
