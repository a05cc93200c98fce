"""What the encoder's benchmark encodes: schemas, and invented people that fit them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import random
import string
import tempfile
from collections.abc import Callable
from typing import Any

from clkhash import randomnames  # type: ignore[import-untyped]

from hushlink_client import febrl

Row = tuple[str, ...]
KDF = {"type": "HKDF", "hash": "SHA256", "salt": "c2FsdA==", "info": "", "keySize": 64}


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A schema, people, and what is promised of them."""

    name: str
    schema: dict[str, Any]
    rows: Callable[[int], list[Row]]
    least_ratio: float
    rival_rows: int
    """What clkhash is given: enough that its speed does not depend on it."""


def default_people(count: int) -> list[Row]:
    """Who clkhash's generator invents: number, name, birth date, gender."""
    random.seed(1)
    return list(randomnames.NameList(count).names)


def _feature(name: str, form: dict[str, Any], comparison: dict[str, Any], bits: dict[str, int], hash_: str) -> Any:
    hashing = {"comparison": comparison, "strategy": bits, "hash": {"type": hash_}}
    return {"identifier": name, "format": form, "hashing": hashing}


def febrl_schema() -> dict[str, Any]:
    """Nine features, of each hash, comparison and strategy some."""
    text, number = {"type": "string", "encoding": "utf-8"}, {"type": "integer"}
    two, places = {"type": "ngram", "n": 2}, {"type": "ngram", "n": 1, "positional": True}
    features = [
        _feature("given_name", text, two, {"bitsPerFeature": 200}, "blakeHash"),
        _feature("surname", text, two, {"bitsPerFeature": 200}, "blakeHash"),
        _feature("street_number", number, places, {"bitsPerToken": 15}, "doubleHash"),
        _feature("address_1", text, two, {"bitsPerToken": 10}, "doubleHash"),
        _feature("suburb", text, two, {"bitsPerFeature": 150}, "doubleHash"),
        _feature("postcode", number, places, {"bitsPerToken": 20}, "blakeHash"),
        _feature("state", text, {"type": "exact"}, {"bitsPerToken": 30}, "doubleHash"),
        _feature("date_of_birth", {"type": "date", "format": "%Y%m%d"}, places, {"bitsPerToken": 15}, "doubleHash"),
        _feature("soc_sec_id", number, two, {"bitsPerFeature": 100}, "blakeHash"),
    ]
    return {"version": 3, "clkConfig": {"l": 1024, "kdf": KDF}, "features": features}


def febrl_people(count: int) -> list[Row]:
    """People put together from the columns of febrl4; numbers, dates and identifiers are drawn."""
    drawn = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        files = febrl.write_clean(pathlib.Path(folder))
        lines = [line.split(",") for file in files for line in file.read_text("utf-8").splitlines()[1:]]
    pools = [[line[column] for line in lines] for column in (1, 2, 4, 6, 8)]  # names, street, suburb, state
    first = datetime.date(1920, 1, 1)

    def person() -> Row:
        given, surname, street, suburb, state = (drawn.choice(pool) for pool in pools)
        born = first + datetime.timedelta(days=drawn.randrange(36_500))
        house, postcode, identifier = drawn.randint(1, 400), drawn.randint(1000, 9999), drawn.randint(10**6, 10**7 - 1)
        return given, surname, str(house), street, suburb, str(postcode), state, f"{born:%Y%m%d}", str(identifier)

    return [person() for _ in range(count)]


def unrepeated_schema() -> dict[str, Any]:
    """One column whose values are tokens as they are."""
    feature = _feature("code", {"type": "string"}, {"type": "exact"}, {"bitsPerToken": 30}, "blakeHash")
    return {"version": 3, "clkConfig": {"l": 1024, "kdf": KDF}, "features": [feature]}


def unrepeated_codes(count: int) -> list[Row]:
    """Fourteen random letters each."""
    drawn = random.Random(3)
    return [("".join(drawn.choices(string.ascii_lowercase, k=14)),) for _ in range(count)]


CASES = (
    Case("clkhash's own default", randomnames.NameList.randomname_schema, default_people, 40, 20_000),
    Case("febrl-like, 9 features, mixed hashes", febrl_schema(), febrl_people, 40, 8_000),
    Case("nothing repeats", unrepeated_schema(), unrepeated_codes, 10, 40_000),
)


def default_schema_text() -> str:
    """The first case's schema as JSON."""
    return json.dumps(randomnames.NameList.randomname_schema)
