"""The forms in which encodings rest: containers, and those of other tools."""

from __future__ import annotations

import contextlib
import enum
import pathlib
from collections.abc import Iterator

from hushlink_client import clkhash_json, container, encodings_file, errors, raw_encodings


class Form(enum.StrEnum):
    """How a file holds encodings."""

    CONTAINER = "container"
    CLKHASH_JSON = "clkhash-json"
    RAW = "raw"


WRITTEN = (Form.CONTAINER, Form.CLKHASH_JSON)
"""Those that are written; raw encodings are only read."""


@contextlib.contextmanager
def writing(
    path: pathlib.Path, header: encodings_file.Header, form: Form = Form.CONTAINER
) -> Iterator[encodings_file.Writer]:
    """Write a file, all of it or nothing, which takes the place of ``path``; only we may read it.

    The block must call the writer's `finish`.

    Raises:
        errors.InputError: it can't be written.
        errors.ClientError: what writes it is not installed.
    """
    with encodings_file.replacing(path) as stream:
        make = clkhash_json.Writer if form is Form.CLKHASH_JSON else container.Writer
        writer = make(stream, path, header)
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise


def read(
    path: pathlib.Path, form: Form = Form.CONTAINER, *, width_bits: int | None = None, count: int | None = None
) -> encodings_file.EncodingsFile:
    """Check a file of encodings from end to end.

    Args:
        path: the file.
        form: how it holds them.
        width_bits: width of an encoding; needed for raw ones.
        count: how many encodings there are; needed for raw ones.

    Raises:
        errors.InputError: it is faulty, or of another width or count.
        errors.ClientError: what reads it is not installed.
    """
    if form is Form.RAW:
        if width_bits is None or count is None:
            raise errors.InputError("raw encodings don't say what they are: name their width and count")
        return raw_encodings.read(path, width_bits, count)
    found = container.read(path) if form is Form.CONTAINER else clkhash_json.read(path)
    for what, named, is_ in (("width", width_bits, found.header.width_bits), ("count", count, found.row_count)):
        if named is not None and named != is_:
            raise errors.InputError(f"{path} holds encodings of {what} {is_}, and {named} was named")
    return found
