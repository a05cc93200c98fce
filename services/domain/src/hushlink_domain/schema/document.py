"""The entrances: from a JSON document to a checked linkage schema."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final, NoReturn

from hushlink_domain.schema import entries, faults, hashing, limits, linkage, older, part, rules, terms

SUPPORTED_VERSIONS: Final = (1, 2, 3)


def parse_json(text: bytes | str, mode: str | None = None) -> linkage.LinkageSchema:
    """Read a linkage schema from JSON text (bytes: UTF-8, a byte-order mark is skipped).

    Raises:
        InvalidSchema: with every fault found; text that is no JSON is one fault at `$`.
        ValueError: `mode` is not None, "compat" or "strict".
    """
    decoded = _decode(text)
    if isinstance(decoded, faults.SchemaFault):
        raise faults.InvalidSchema([decoded])
    return parse(decoded, mode)


def parse(document: object, mode: str | None = None) -> linkage.LinkageSchema:
    """Read a linkage schema from the value that its JSON text decodes to.

    Args:
        document: the decoded JSON, a dict for any valid schema. It is not changed.
        mode: "compat" or "strict" overrides what the document says; None goes by the document.

    Raises:
        InvalidSchema: with every fault found.
        ValueError: `mode` is not None, "compat" or "strict".
    """
    forced = None if mode is None else linkage.Mode(mode)
    log: list[faults.SchemaFault] = []
    top = part.Part(document, "$", log)
    version = None if log else _version(top)
    schema = None if version is None else _schema(top, version, forced)
    if schema is not None and not log:
        rules.check(schema, log)
    if log or schema is None:
        raise faults.InvalidSchema(log)
    return schema


def cautions(document: object) -> tuple[faults.SchemaFault, ...]:
    """Say what a sound schema does that its authors may not have meant; none of it is refused.

    That is all that strict mode would refuse or mend, and sentinels that are encoded like values.

    Raises:
        InvalidSchema: the schema is not sound.
    """
    schema = parse(document)
    found = rules.cautions(schema)
    try:
        parse(document, linkage.Mode.STRICT.value)
    except faults.InvalidSchema as refused:
        found += refused.faults
    return found


def _version(top: part.Part) -> int | None:
    if not top.require("version"):
        return None
    version = part.whole(top.members["version"])
    if version in SUPPORTED_VERSIONS:
        return version
    top.report("is not a version of linkage schemas", "write 3", "version")
    return None


def _schema(top: part.Part, version: int, forced: linkage.Mode | None) -> linkage.LinkageSchema:
    mode, strip_cells = _extension(top, forced)
    strict = mode is linkage.Mode.STRICT
    clk = top.part("clkConfig")
    if strict:
        clk.only({"l", "kdf", "xor_folds", "xorFolds", "description"} | ({"k", "hash"} if version == 1 else set()))
    read_hashing: entries.HashingReader = hashing.read
    if version < 3:
        read_hashing = older.version_2 if version == 2 else older.version_1(clk, strict)
    return linkage.LinkageSchema(
        width_bits=clk.integer("l", 1, limits.WORKING_BITS),
        columns=entries.read(top, strict, read_hashing, older=version < 3),
        kdf=_key_derivation(clk, strict),
        xor_folds=_folds(clk, strict),
        mode=mode,
        strip_cells=strip_cells,
    )


def _folds(clk: part.Part, strict: bool) -> int:
    """Read `xor_folds`, the spelling that clkhash reads, beside `xorFolds`, which it documents."""
    folds = clk.integer("xor_folds", 0, limits.FOLDS, default=0)
    documented = clk.integer("xorFolds", 0, limits.LENGTH, default=folds)
    if strict and documented != folds:
        clk.report(
            "disagrees with xor_folds, the spelling that clkhash reads",
            "write xor_folds with the number of folds, and remove xorFolds",
            "xorFolds",
        )
    return folds


def _extension(top: part.Part, forced: linkage.Mode | None) -> tuple[linkage.Mode, bool]:
    """Read our extension: the mode in force, and whether cells are stripped."""
    mode = linkage.Mode.COMPAT
    extension = None
    if top.has("hushlink"):
        extension = top.part("hushlink")
        extension.only({"mode", "stripCells"})
        mode = extension.choice("mode", linkage.Mode, default=linkage.Mode.STRICT)
    mode = forced or mode
    default = mode is linkage.Mode.STRICT
    return mode, extension.truth("stripCells", default) if extension else default


def _key_derivation(clk: part.Part, strict: bool) -> terms.KeyDerivation:
    kdf = clk.part("kdf")
    if not clk.has("kdf"):
        return terms.KeyDerivation()
    if strict:
        kdf.only({"type", "hash", "salt", "info", "keySize", "description"})
    if kdf.text("type") != "HKDF" and isinstance(kdf.members.get("type"), str):
        kdf.report("is not a supported key derivation", 'write "HKDF"', "type")
    return terms.KeyDerivation(
        hash=kdf.choice("hash", terms.KdfHash, default=terms.KdfHash.SHA256),
        salt=_base64(kdf, "salt", strict),
        info=_base64(kdf, "info", strict),
        key_size=kdf.integer("keySize", 1, limits.KEY_BYTES, default=64),
    )


def _base64(kdf: part.Part, key: str, strict: bool) -> bytes:
    """Decode base64; compat drops characters outside the alphabet, as Python's decoder does."""
    text = kdf.text(key, default="")
    try:
        return base64.b64decode(text, validate=strict)
    except (binascii.Error, ValueError):
        kdf.report("is not base64", "encode the bytes again, with padding", key)
        return b""


def _decode(text: bytes | str) -> object:
    """Decode JSON; a fault comes back as a value, so that no exception carries the text along.

    The wrong file may have been given, and its text may be personal.
    """
    if len(text) > limits.DOCUMENT_BYTES:
        return _unreadable(f"is larger than {limits.DOCUMENT_BYTES} bytes", "give a schema file")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_members, parse_constant=_constant)
    except UnicodeDecodeError as fault:
        return _unreadable(f"is not UTF-8 text (byte {fault.start})", "save it as UTF-8")
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        return _unreadable(f"is not JSON ({place})", "correct it, or give a schema file")
    except _RepeatedKeyError as fault:
        problem = f"gives the key {part.shown(fault.key)} twice in one object"
        return _unreadable(problem, "keep one of them")
    except (RecursionError, ValueError):
        return _unreadable("nests too deeply or holds a number out of range", "correct it")


def _unreadable(problem: str, remedy: str) -> faults.SchemaFault:
    return faults.SchemaFault("$", problem, remedy)


class _RepeatedKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def _members(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        if key in members:
            raise _RepeatedKeyError(key)
        members[key] = value
    return members


def _constant(_: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError
