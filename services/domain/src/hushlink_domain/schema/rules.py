"""Rules that span several parts of a schema, checked once every part is sound by itself."""

from __future__ import annotations

from hushlink_domain.schema import faults, limits, linkage, terms


def check(schema: linkage.LinkageSchema, log: list[faults.SchemaFault]) -> None:
    """Append every fault of the schema as a whole to `log`."""
    _key_material(schema, log)
    _working_length(schema, log)
    for position, feature in schema.features():
        path = f"$.features[{position}].hashing.hash"
        if isinstance(feature.hash, terms.BlakeHash):
            _blake(schema, path, log)
        elif feature.hash.prevent_singularity and schema.working_bits == 1:
            log.append(faults.SchemaFault(path, "cannot prevent singularity in a filter of 1 bit", "choose a larger l"))
    if schema.mode is linkage.Mode.STRICT:
        _strict(schema, log)


def cautions(schema: linkage.LinkageSchema) -> tuple[faults.SchemaFault, ...]:
    """List what is allowed but seldom meant."""
    found = []
    for position, feature in schema.features():
        path = f"$.features[{position}].hashing"
        missing = feature.missing_value
        if missing is not None and missing.sentinel and missing.replace_with is None:
            problem = "has no replaceWith: the sentinel itself is encoded, and missing values look alike"
            remedy = 'write "replaceWith": "" to encode nothing'
            found.append(faults.SchemaFault(f"{path}.missingValue", problem, remedy))
        if isinstance(feature.hash, terms.DoubleHash) and not feature.hash.prevent_singularity:
            problem = "lets a token set a single bit when its second hash is 0"
            found.append(faults.SchemaFault(f"{path}.hash", problem, 'write "prevent_singularity": true'))
    return tuple(found)


def _key_material(schema: linkage.LinkageSchema, log: list[faults.SchemaFault]) -> None:
    """HKDF gives at most 255 digests; two keys are drawn for every column, ignored ones too."""
    limit = 255 * schema.kdf.hash.digest_bytes
    per_column = 2 * schema.kdf.key_size
    if per_column * len(schema.columns) > limit:
        log.append(
            faults.SchemaFault(
                "$.features",
                f"{len(schema.columns)} columns need more key material than HKDF gives: "
                f"at most {limit // per_column} columns with {schema.kdf.hash.value} "
                f"and keys of {schema.kdf.key_size} bytes",
                "use fewer columns, SHA512, or a smaller keySize",
            )
        )


def _working_length(schema: linkage.LinkageSchema, log: list[faults.SchemaFault]) -> None:
    if schema.working_bits > limits.WORKING_BITS:
        log.append(
            faults.SchemaFault(
                "$.clkConfig.xor_folds",
                f"makes filters of more than {limits.WORKING_BITS} bits before folding",
                "fold less often or choose a smaller l",
            )
        )


def _blake(schema: linkage.LinkageSchema, path: str, log: list[faults.SchemaFault]) -> None:
    bits = schema.working_bits
    if bits & (bits - 1):
        log.append(
            faults.SchemaFault(
                path,
                f"blakeHash needs a power of two as length before folding, not {bits}",
                "choose l so that it is one, or use doubleHash",
            )
        )
    if schema.kdf.key_size > limits.BLAKE_KEY_BYTES:
        log.append(
            faults.SchemaFault(
                path,
                f"blakeHash takes keys of at most {limits.BLAKE_KEY_BYTES} bytes, keySize is {schema.kdf.key_size}",
                "lower $.clkConfig.kdf.keySize or use doubleHash",
            )
        )
    if schema.mode is linkage.Mode.STRICT and bits > limits.BLAKE_BITS:
        log.append(
            faults.SchemaFault(
                path,
                f"blakeHash never sets a bit above {limits.BLAKE_BITS}, the length before folding is {bits}",
                "choose a smaller l, fewer folds, or doubleHash",
            )
        )


def _strict(schema: linkage.LinkageSchema, log: list[faults.SchemaFault]) -> None:
    seen: dict[str, int] = {}
    for position, identifier in enumerate(schema.identifiers):
        first = seen.setdefault(identifier, position)
        if first != position:
            log.append(
                faults.SchemaFault(
                    f"$.features[{position}].identifier",
                    f"is the same as that of $.features[{first}]",
                    "give each column a name of its own",
                )
            )
    if next(schema.features(), None) is None:
        log.append(faults.SchemaFault("$.features", "every column is ignored: nothing would be encoded", "encode one"))
