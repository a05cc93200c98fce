"""Random schemas and records through clkhash itself: every bit equal, every bad record refused by both."""

import base64
import os
import random
import string
from typing import Any

import pytest

import hushlink_encoder
from hushlink_domain import schema

clk = pytest.importorskip("clkhash.clk", reason="the oracle clkhash 0.18.3 is not installed", exc_type=ImportError)
clkhash_schema = pytest.importorskip("clkhash.schema", exc_type=ImportError)

PARTS = 5
SCHEMAS = int(os.environ.get("HUSHLINK_FUZZED_SCHEMAS", "400"))
"""Random schemas in all; 2,000 take a minute and more of clkhash's time."""
ROWS = 8
LETTERS = string.ascii_letters + " '-" + "éßŁøñ日本\U0001f600"
DATES = ("%d/%m/%Y", "%Y-%m-%d", "%Y%m%d", "%d.%m.%y", "%m-%d", "%d %B %Y", "%Y-%m-%d %H:%M", "%j/%Y")


class World:
    """One random schema, and records that mostly fit it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.version = self.random.choice([1, 2, 3, 3, 3])
        self.columns = self.random.randint(1, 5)
        self.folds = self.random.choice([0, 0, 0, 1, 2, 3])
        self.any_width = self.chance(0.3)
        self.numeric: list[bool] = []
        self.document = self._document()

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _document(self) -> dict[str, Any]:
        width = self.random.randint(1, 300) if self.any_width else 1 << self.random.randint(4, 11)
        clk_config: dict[str, Any] = {"l": width, "kdf": self._kdf(), "xor_folds": self.folds}
        if self.chance(0.2):
            clk_config["xorFolds"] = self.random.randint(0, 3)
        if self.version == 1:
            clk_config |= {"k": self.random.randint(1, 40), "hash": self._hash()}
        return {
            "version": self.version,
            "clkConfig": clk_config,
            "features": [self._feature(index) for index in range(self.columns)],
        }

    def _kdf(self) -> dict[str, Any]:
        kdf: dict[str, Any] = {"type": "HKDF"}
        if self.chance(0.4):
            kdf["hash"] = self.random.choice(["SHA256", "SHA512"])
        for key in ("salt", "info"):
            if self.chance(0.3):
                kdf[key] = base64.b64encode(self.random.randbytes(self.random.randint(0, 40))).decode()
        if self.chance(0.3):
            kdf["keySize"] = self.random.randint(1, 64)
        return kdf

    def _hash(self) -> dict[str, Any]:
        if not self.any_width and self.chance(0.5):
            return {"type": "blakeHash"}
        found: dict[str, Any] = {"type": "doubleHash"}
        if self.chance(0.5):
            found["prevent_singularity"] = self.chance(0.7)
        return found

    def _feature(self, index: int) -> dict[str, Any]:
        self.numeric.append(False)
        name = f"column {index}"
        if index and self.chance(0.1):
            return {"identifier": name, "ignored": True}
        feature: dict[str, Any] = {"identifier": name, "format": self._format(), "hashing": self._hashing()}
        if self.version == 3 and self.chance(0.05):
            feature["ignored"] = self.chance(0.5)
        return feature

    def _format(self) -> dict[str, Any]:
        kind = self.random.choice(["string", "string", "string", "pattern", "integer", "date", "enum"])
        encoding = {"encoding": self.random.choice(["ascii", "utf-8", "utf-16", "utf-32"])}
        if kind == "string":
            form: dict[str, Any] = {"type": "string", **(encoding if self.chance(0.5) else {})}
            if self.chance(0.2):
                form["case"] = self.random.choice(["upper", "lower", "mixed"])
            if self.chance(0.2):
                form["maxLength"] = self.random.randint(5, 30)
            if self.chance(0.1):
                form["minLength"] = self.random.randint(0, 2)
            return form
        if kind == "pattern":
            return {"type": "string", "pattern": self.random.choice(["[a-z ]*", ".*", r"\d+|[A-z]*"]), **encoding}
        if kind == "integer":
            return {"type": "integer", **({"minimum": -50, "maximum": 10**6} if self.chance(0.5) else {})}
        if kind == "date":
            return {"type": "date", "format": self.random.choice(DATES)}
        return {"type": "enum", "values": ["M", "F", "", "öther"]}

    def _hashing(self) -> dict[str, Any]:
        hashing: dict[str, Any] = {}
        if self.chance(0.3):
            hashing["missingValue"] = {"sentinel": self.random.choice(["", "NA", "12"])}
            if self.chance(0.6):
                hashing["missingValue"]["replaceWith"] = self.random.choice(["", "0", "17", "-3.5"])
        n = self.random.randint(1, 4)
        positional: dict[str, Any] = {"positional": self.chance(0.5)} if self.chance(0.5) else {}
        if self.version < 3:
            hashing |= {"ngram": n, **positional}
        if self.version == 1:
            if self.chance(0.6):
                hashing["weight"] = self.random.choice([0, 1, 2, 0.5, 0.25, 1.5, 0.9])
            return hashing
        per_token, per_feature = self.random.randint(1, 45), self.random.randint(1, 200)
        if self.version == 2:
            hashing["strategy"] = self.random.choice([{"k": per_token}, {"numBits": per_feature}])
        else:
            hashing["strategy"] = self.random.choice([{"bitsPerToken": per_token}, {"bitsPerFeature": per_feature}])
            hashing["comparison"] = self._comparison(n, positional)
        if self.any_width or self.chance(0.5):
            hashing["hash"] = self._hash()
        return hashing

    def _comparison(self, n: int, positional: dict[str, Any]) -> dict[str, Any]:
        kind = self.random.choice(["ngram", "ngram", "exact", "numeric"])
        if kind == "ngram":
            return {"type": "ngram", "n": n, **positional}
        if kind == "exact":
            return {"type": "exact"}
        self.numeric[-1] = True
        places = {"fractional_precision": self.random.randint(0, 5)} if self.chance(0.6) else {}
        distance = self.random.choice([1, 2.5, 3.5, 8, 8.0, 100, 0.7, 1e6])
        return {"type": "numeric", "thresholdDistance": distance, "resolution": self.random.randint(1, 9), **places}

    def rows(self) -> list[list[str]]:
        features = list(zip(self.document["features"], self.numeric, strict=True))
        return [[self._cell(feature, numeric) for feature, numeric in features] for _ in range(ROWS)]

    def _cell(self, feature: dict[str, Any], numeric: bool) -> str:
        if self.chance(0.05):
            return self.random.choice(["", "NA", "12"])
        form = feature.get("format", {"type": "string"})
        if numeric and form["type"] == "string":
            return self._number()
        match form["type"]:
            case "integer":
                return self.random.choice(["{}", " {}", "+{}", "00{}", "-{}"]).format(self.random.randint(0, 10**5))
            case "date":
                return self._date(form["format"])
            case "enum":
                return self.random.choice(["M", "F", "", "öther"])
        if "pattern" in form:
            return "".join(self.random.choice(string.ascii_lowercase + " ") for _ in range(self.random.randint(0, 9)))
        letters = string.ascii_letters if form.get("encoding") == "ascii" else LETTERS
        text = "".join(self.random.choice(letters) for _ in range(self.random.randint(0, 14)))
        return {"upper": text.upper(), "lower": text.lower()}.get(form.get("case", ""), text)

    def _number(self) -> str:
        value = self.random.uniform(-(10**5), 10**5)
        shape = self.random.choice(["{:.0f}", "{:.1f}", "{:.3f}", "{:e}", " {:.2f}", "{:.5f} ", "{!r}"])
        return shape.format(value)

    def _date(self, template: str) -> str:
        parts = {
            "%d": f"{self.random.randint(1, 28):{self.random.choice(['02', 'd'])}}",
            "%m": f"{self.random.randint(1, 12):{self.random.choice(['02', 'd'])}}",
            "%Y": str(self.random.randint(1, 9999)).zfill(4)
            if self.chance(0.1)
            else str(self.random.randint(1900, 2068)),
            "%y": f"{self.random.randint(0, 99):02}",
            "%B": self.random.choice(["January", "may", "DECEMBER"]),
            "%H": "7",
            "%M": "05",
            "%j": str(self.random.randint(1, 365)),
        }
        for directive, text in parts.items():
            template = template.replace(directive, text)
        return template


def clkhash_schema_of(world: World) -> Any:
    """The schema as clkhash reads it, None when it refuses it."""
    try:
        return clkhash_schema.from_json_dict(world.document)
    except Exception:  # clkhash raises many things, bare ones too
        return None


def of_clkhash(agreed: Any, rows: list[list[str]], secret: bytes) -> list[bytes] | None:
    """What clkhash makes of the records, None when it refuses them for whatever reason."""
    try:
        return [filter_.tobytes() for filter_ in clk.generate_clks(rows, agreed, secret)]
    except Exception:
        return None


def of_ours(world: World, rows: list[list[str]], secret: bytes) -> list[bytes] | None:
    try:
        return [row.tobytes() for row in hushlink_encoder.Encoder(world.document, secret).encode(rows)]
    except (schema.InvalidSchema, hushlink_encoder.InvalidRecords):
        return None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_bit_is_equal(part: int) -> None:
    compared = 0
    for seed in range(part, SCHEMAS, PARTS):
        world = World(seed)
        secret = world.random.randbytes(world.random.randint(1, 80))
        rows = world.rows()
        agreed = clkhash_schema_of(world)
        theirs = of_clkhash(agreed, rows, secret)
        ours = of_ours(world, rows, secret)
        if theirs is None or ours is None:
            # Row by row, so that one bad record does not hide the others.
            for row in rows:
                one = of_ours(world, [row], secret)
                assert one == of_clkhash(agreed, [row], secret), (seed, world.document, row)
                compared += one is not None
        else:
            assert ours == theirs, (seed, world.document, rows)
            compared += len(rows)
    assert compared > 0.7 * ROWS * SCHEMAS / PARTS
