"""The data owner's side of Hushlink: personal records in, Bloom-filter encodings out.

This package is the engine and imports no network library; it runs wherever Python and numpy do.
Records, keys and caches stay in the process; no error, `repr` or message shows any of them.

Encode rows::

    import hushlink_encoder

    secret = hushlink_encoder.read_secret("linkage.secret")
    with hushlink_encoder.Encoder(schema_document, secret) as encoder:
        encodings = encoder.encode([["anna", "1980-02-03"], ["lukas", ""]])  # uint8, (2, width_bytes)

Encode a CSV file of any size in constant memory::

    reader = hushlink_encoder.CsvReader("people.csv", encoder.schema.identifiers)
    for batch in reader:                       # up to 8192 records each
        encodings = encoder.encode_batch(batch)

What an upload's header carries beside the width (`encoder.schema.width_bits`)::

    fingerprint = encoder.schema.fingerprint()                             # 32 bytes
    check = hushlink_encoder.key_check(secret, fingerprint, project_id)    # 16 bytes

Errors: `hushlink_domain.schema.InvalidSchema` for the schema, `InvalidSecret` for the secret and
its file, `InvalidRecords` for files, rows and cells: its `faults` name row, column and `Kind`.
All are `hushlink_domain.errors.CallerError`.
"""

from __future__ import annotations

from hushlink_encoder.engine import Encoder, Encodings
from hushlink_encoder.faults import InvalidRecords, Kind, RecordFault
from hushlink_encoder.keys import InvalidSecret, Secret, key_check, read_secret, weakness, write_new_secret
from hushlink_encoder.records import CsvReader, Header, RecordBatch

__all__ = [
    "CsvReader",
    "Encoder",
    "Encodings",
    "Header",
    "InvalidRecords",
    "InvalidSecret",
    "Kind",
    "RecordBatch",
    "RecordFault",
    "Secret",
    "key_check",
    "read_secret",
    "weakness",
    "write_new_secret",
]
