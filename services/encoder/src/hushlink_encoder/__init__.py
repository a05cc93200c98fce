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

Encode what can be, and learn what was at fault with the rest::

    reader = hushlink_encoder.CsvReader("people.csv", encoder.schema.identifiers, keep_going=True)
    for part in hushlink_encoder.encoded(encoder, reader, hushlink_encoder.BadRows.SKIP):
        part.rows, part.encodings, part.faults

What an upload's header carries beside the width (`encoder.schema.width_bits`)::

    fingerprint = encoder.schema.fingerprint()                             # 32 bytes
    check = hushlink_encoder.key_check(secret, fingerprint, project_id)    # 16 bytes

Errors: `hushlink_domain.schema.InvalidSchema` for the schema, `InvalidSecret` for the secret and
its file, `InvalidRecords` for files, rows and cells: its `faults` name row, column and `Kind`.
All are `hushlink_domain.errors.CallerError`.
"""

from __future__ import annotations

from hushlink_encoder.csv_blocks import Dialect
from hushlink_encoder.engine import Encoder, Encodings
from hushlink_encoder.faults import InvalidRecords, Kind, RecordFault
from hushlink_encoder.headers import Header
from hushlink_encoder.keys import InvalidSecret, Secret, key_check, read_secret, weakness, write_new_secret
from hushlink_encoder.records import BATCH_ROWS, CsvReader, RecordBatch
from hushlink_encoder.sifting import BadRows, EncodedBatch, encoded
from hushlink_encoder.tables import Form, TableReader

__all__ = [
    "BATCH_ROWS",
    "BadRows",
    "CsvReader",
    "Dialect",
    "EncodedBatch",
    "Encoder",
    "Encodings",
    "Form",
    "Header",
    "InvalidRecords",
    "InvalidSecret",
    "Kind",
    "RecordBatch",
    "RecordFault",
    "Secret",
    "TableReader",
    "encoded",
    "key_check",
    "read_secret",
    "weakness",
    "write_new_secret",
]
