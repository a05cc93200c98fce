"""What a distribution imports it declares, or a distribution of ours that it needs does.

The shared environment of development holds everything, so nothing else would notice before an image starts.
"""

from __future__ import annotations

import ast
import importlib.metadata
import pathlib
import sys
from collections.abc import Iterator

import pytest

from tests.support import repository

_MEMBERS = repository.members()
# Names below a namespace that several distributions share.
_SHARED = {"google.protobuf": "protobuf", "google.rpc": "googleapis-common-protos"}
# Ours are installed editable, which tells importlib.metadata nothing of their packages.
_OURS = {member.package.name: name for name, member in _MEMBERS.items()}
_INSTALLED = importlib.metadata.packages_distributions()


def _imported(path: pathlib.Path) -> Iterator[str]:
    """Every absolute import of a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for name in node.names:
                yield f"{node.module}.{name.name}"


def _distributions(name: str) -> set[str]:
    """The distributions that may hold what is imported under ``name``."""
    for prefix, distribution in _SHARED.items():
        if name.startswith(f"{prefix}."):
            return {distribution}
    room = name.partition(".")[0]
    if room in _OURS:
        return {_OURS[room]}
    return {repository.normalised(found) for found in _INSTALLED.get(room, ())}


@pytest.mark.parametrize("name", sorted(_MEMBERS))
def test_every_import_is_declared(name: str):
    member = _MEMBERS[name]
    needed = {name, *member.extras}
    # What only an extra brings may be imported where it is used; test_walls imports every module without extras.
    for root in (name, *sorted(member.extras & _MEMBERS.keys())):
        for each in repository.needed_members(root):
            needed |= {each.name, *each.dependencies}
    for path in member.modules():
        for imported in _imported(path):
            if imported.partition(".")[0] not in sys.stdlib_module_names:
                assert _distributions(imported) & needed, f"{path}: {imported} is not declared by {name}"


def test_the_domain_needs_the_standard_library_alone():
    assert not _MEMBERS["hushlink-domain"].dependencies | _MEMBERS["hushlink-domain"].extras


def test_no_service_declares_what_belongs_to_another():
    matcher, encoder = (repository.needed_members(f"hushlink-{service}") for service in ("matcher", "encoder"))
    doors = {"asyncpg", "aiosql", "aioboto3", "hushlink-coordinator"}
    for member in (*matcher, *encoder):
        assert not member.dependencies & doors, member.name
    for member in matcher:
        assert not member.dependencies & {"cryptography", "hushlink-encoder"}, member.name


@pytest.mark.parametrize("name", sorted(set(_MEMBERS) - {"hushlink-native"}))
def test_only_the_kernels_face_names_the_compiled_module(name: str):
    for path in _MEMBERS[name].modules():
        for imported in _imported(path):
            assert not imported.startswith(("hushlink_native._", "cffi", "_cffi_backend")), f"{path}: {imported}"
