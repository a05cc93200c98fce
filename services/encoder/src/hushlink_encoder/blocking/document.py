"""The entrances: from a JSON document to a checked blocking configuration, with every fault named by its place.

The format is that of blocklib 0.1.11, and our extension, the top-level object `hushlink`::

    "hushlink": {"mode": "keyed"}

whose `mode` is "keyed" (default) or "compat". Columns are named, or counted from 0. Keys without a
meaning are ignored, as blocklib does; a number is never written as text.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from typing import Final, NoReturn

from hushlink_domain.schema import faults, part
from hushlink_encoder.blocking import configuration, places

MOST_BITS: Final = 1 << 16
"""Largest filter, in bits."""
MOST_TABLES: Final = 4096
MOST_SAMPLED: Final = 1 << 20
"""Bits of all tables together."""
MOST_HASHES: Final = 4096
MOST_PARTS: Final = 1024
SHOWN_COLUMNS: Final = 50


class _PartKind(enum.StrEnum):
    FEATURE_VALUE = "feature-value"
    CHARACTERS_AT = "characters-at"
    METAPHONE = "metaphone"


class _FilterKind(enum.StrEnum):
    RATIO = "ratio"
    COUNT = "count"


class _BlockingFilterKind(enum.StrEnum):
    BLOOM_FILTER = "bloom filter"


def parse_json(text: bytes | str, identifiers: Sequence[str], mode: str | None = None) -> configuration.Configuration:
    """Read a blocking configuration from JSON text. Arguments and errors as `parse`."""
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        document = json.loads(decoded, parse_constant=_no_number)
    except RecursionError:
        raise _not_json("is nested too deeply") from None
    except ValueError as error:
        raise _not_json(_cause(error)) from None
    return parse(document, identifiers, mode)


def parse(document: object, identifiers: Sequence[str], mode: str | None = None) -> configuration.Configuration:
    """Read a blocking configuration from the value that its JSON text decodes to.

    Args:
        document: the decoded JSON.
        identifiers: the names of the records' columns.
        mode: "compat" or "keyed" overrides what the document says; None goes by the document.

    Raises:
        configuration.InvalidBlocking: with every fault found.
        ValueError: an unknown mode.
    """
    forced = None if mode is None else configuration.Mode(mode)
    log: list[faults.SchemaFault] = []
    top = part.Part(document, "$", log)
    if log:
        raise configuration.InvalidBlocking(log)
    top.integer("version", 0, 1 << 31)
    found = _mode(top)
    kind = top.choice("type", configuration.Kind)
    inner = top.part("config")
    if top.has("type") and top.has("config"):
        reader = _Reader(inner, tuple(identifiers), log)
        method = reader.p_sig() if kind is configuration.Kind.P_SIG else reader.lambda_fold()
    if log:
        raise configuration.InvalidBlocking(log)
    return configuration.Configuration(method, forced or found, tuple(identifiers))


def _mode(top: part.Part) -> configuration.Mode:
    if not top.has("hushlink"):
        return configuration.Mode.KEYED
    extension = top.part("hushlink")
    extension.only({"mode"})
    return extension.choice("mode", configuration.Mode, configuration.Mode.KEYED)


class _Reader:
    """Reads the member `config`."""

    def __init__(self, config: part.Part, identifiers: tuple[str, ...], log: list[faults.SchemaFault]) -> None:
        self._config = config
        self._log = log
        self._identifiers = identifiers

    def p_sig(self) -> configuration.PSig:
        """Read the configuration of p-sig."""
        self._columns()
        sizes = self._sizes(self._config.part("filter"))
        bloom = self._config.part("blocking-filter")
        bloom.choice("type", _BlockingFilterKind)
        hashes = bloom.integer("number-hash-functions", 1, MOST_HASHES)
        bits = bloom.integer("bf-len", 1, MOST_BITS)
        bloom.truth("compress-block-key", False)
        return configuration.PSig(self._strategies(), sizes, bits, hashes, self._sentinel())

    def lambda_fold(self) -> configuration.LambdaFold:
        """Read the configuration of lambda-fold."""
        config = self._config
        of_encodings = config.truth("input-clks", False)
        config.require("input-clks")
        columns = self._columns(of_encodings=of_encodings)
        bits = config.integer("bf-len", 1, MOST_BITS)
        sample = config.integer("K", 1, MOST_BITS)
        if not of_encodings and sample > bits:
            config.report("is above bf-len", "sample fewer bits, or make the filter longer", "K")
        hashes = config.integer("num-hash-funcs", 1, MOST_HASHES)
        tables = config.integer("Lambda", 1, MOST_TABLES)
        if tables * sample > MOST_SAMPLED:
            config.report(f"samples more than {MOST_SAMPLED} bits of a record", "lower Lambda or K")
        seed = config.integer("random_state", -(1 << 63), 1 << 63)
        return configuration.LambdaFold(
            () if of_encodings else columns, tables, bits, hashes, sample, seed, of_encodings
        )

    def _columns(self, *, of_encodings: bool = False) -> tuple[int, ...]:
        """Read what both methods have; give the columns named as blocking features."""
        config = self._config
        if config.has("record-id-col") and config.members["record-id-col"] is not None:
            config.integer("record-id-col", 0, max(len(self._identifiers) - 1, 0))
        if not config.require("blocking-features"):
            return ()
        features = config.members["blocking-features"]
        if not isinstance(features, list | tuple) or not features:
            config.report("must be an array with at least one column", "name columns", "blocking-features")
            return ()
        if len({isinstance(feature, str) for feature in features}) > 1:
            config.report("mixes names and numbers of columns", "use one or the other", "blocking-features")
        if of_encodings:
            return ()
        path = config.at("blocking-features")
        return tuple(self._column(feature, f"{path}[{index}]") for index, feature in enumerate(features))

    def _sentinel(self) -> str | None:
        value = self._config.members.get("null-sentinel", "")
        if value is None or isinstance(value, str):
            return value
        self._config.report(f"must be a string or null, is {part.kind(value)}", "cells are text", "null-sentinel")
        return ""

    def _sizes(self, sizes: part.Part) -> configuration.SizeFilter:
        if sizes.choice("type", _FilterKind) is _FilterKind.COUNT:
            least, most = (float(sizes.integer(key, 0, 1 << 40)) for key in ("min", "max"))
            found = configuration.SizeFilter(least, most, relative=False)
        else:
            found = configuration.SizeFilter(
                self._share(sizes, "min", 0.0), self._share(sizes, "max", None), relative=True
            )
        if found.least > found.most:
            sizes.report("no block is kept: min is above max", "exchange them")
        return found

    @staticmethod
    def _share(sizes: part.Part, key: str, default: float | None) -> float:
        if not sizes.has(key) and default is not None:
            return default
        if not sizes.require(key):
            return 1.0
        value = sizes.members[key]
        if not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= 1:
            return float(value)
        sizes.report(f"must be a number from 0 to 1, is {part.kind(value)}", "write a share of all records", key)
        return 1.0

    def _strategies(self) -> tuple[tuple[configuration.Part, ...], ...]:
        config = self._config
        if not config.require("signatureSpecs"):
            return ()
        value = config.members["signatureSpecs"]
        path = config.at("signatureSpecs")
        if not isinstance(value, list | tuple) or not value:
            config.report("must be an array of strategies", "write at least one strategy", "signatureSpecs")
            return ()
        if sum(len(one) if isinstance(one, list | tuple) else 1 for one in value) > MOST_PARTS:
            config.report(f"has more than {MOST_PARTS} parts", "use fewer", "signatureSpecs")
            return ()
        return tuple(self._strategy(one, f"{path}[{index}]") for index, one in enumerate(value))

    def _strategy(self, value: object, path: str) -> tuple[configuration.Part, ...]:
        if not isinstance(value, list | tuple):
            self._fault(path, f"must be an array, is {part.kind(value)}", "a strategy is an array of parts")
            return ()
        if not value:
            self._fault(path, "has no part, so that no record gets a signature", "write a part, or remove it")
        return tuple(self._part(one, f"{path}[{index}]") for index, one in enumerate(value))

    def _part(self, value: object, path: str) -> configuration.Part:
        spec = part.Part(value, path, self._log)
        if not isinstance(value, dict):
            return configuration.Whole(0)
        kind = spec.choice("type", _PartKind)
        column = self._column(spec.members["feature"], spec.at("feature")) if spec.require("feature") else 0
        match kind:
            case _PartKind.CHARACTERS_AT:
                return configuration.Characters(column, self._places(spec.part("config")))
            case _PartKind.METAPHONE:
                return configuration.Sound(column)
            case _PartKind.FEATURE_VALUE:
                return configuration.Whole(column)

    def _places(self, config: part.Part) -> tuple[places.Place, ...]:
        if not config.require("pos"):
            return ()
        value = config.members["pos"]
        if not isinstance(value, list | tuple):
            config.report(f"must be an array, is {part.kind(value)}", "write an array of positions", "pos")
            return ()
        found = []
        for index, one in enumerate(value):
            try:
                found.append(places.parse(one))
            except ValueError as error:
                self._fault(f"{config.at('pos')}[{index}]", str(error), 'write a number, "2:5", ":5" or "2:"')
        return tuple(found)

    def _column(self, value: object, path: str) -> int:
        """The number of a column that is named, or counted from 0."""
        names = self._identifiers
        if not names:
            self._fault(path, "names a column, and none are known", "give the linkage schema, whose columns they are")
        elif isinstance(value, str):
            if value in names:
                return names.index(value)
            self._fault(path, f"names no column: {part.shown(value)}", f"columns: {', '.join(names[:SHOWN_COLUMNS])}")
        elif (number := part.whole(value)) is None:
            self._fault(path, f"must be a column's name or number, is {part.kind(value)}", "name a column")
        elif -len(names) <= number < len(names):
            return number % len(names)
        else:
            self._fault(path, f"is no column's number: there are {len(names)}", "count columns from 0")
        return 0

    def _fault(self, path: str, problem: str, remedy: str) -> None:
        self._log.append(faults.SchemaFault(path, problem, remedy))


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _not_json(cause: str) -> configuration.InvalidBlocking:
    return configuration.InvalidBlocking([faults.SchemaFault("$", cause, "write a JSON object in UTF-8")])


def _cause(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"is no UTF-8 text (byte {error.start})"
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    return f"is no JSON: {error}"
