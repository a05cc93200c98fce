"""The coordinator's door to the object store, on real S3 servers over TLS: rclone's and Ceph's gateway."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import pathlib
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from hushlink_client.dev import ports
from hushlink_coordinator import blobs, config
from hushlink_domain import digests, errors
from tests.support import capabilities, object_stores, radosgw

_MEBIBYTE = 1 << 20


@pytest.fixture(scope="module", params=["rclone", "radosgw"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "radosgw":
        capabilities.need(capabilities.RADOSGW)
    serve = {"rclone": object_stores.rclone, "radosgw": radosgw.serving}[request.param]
    with serve(tmp_path_factory.mktemp(request.param)) as serving:
        yield serving


def _settings(store: object_stores.ObjectStore, **changes: Any) -> config.CoordinatorConfig:
    settings: dict[str, Any] = {
        "database_url": "postgresql://nobody@127.0.0.1/unused",
        "blobs_endpoint": store.endpoint,
        "blobs_access_key": store.access_key,
        "blobs_secret_key": store.secret_key,
        "blobs_ca": store.ca,
    }
    return config.CoordinatorConfig(**(settings | changes))


@pytest_asyncio.fixture
async def objects(store: object_stores.ObjectStore) -> AsyncIterator[blobs.Blobs]:
    async with blobs.connected(_settings(store)) as connected:
        yield connected


@pytest.fixture
def prefix() -> str:
    """A place of the bucket that is this test's alone."""
    return f"tests/{uuid.uuid4()}/"


def _noise(size_bytes: int) -> bytes:
    return random.Random(size_bytes).randbytes(size_bytes)


async def _open_uploads(objects: blobs.Blobs, prefix: str) -> list[Any]:
    try:
        answer = await objects.client.list_multipart_uploads(Bucket=objects.bucket, Prefix=prefix)
    except objects.client.exceptions.NoSuchUpload:  # rclone's way of saying none
        return []
    uploads: list[Any] = answer.get("Uploads", [])
    return uploads


@pytest.mark.parametrize("size_bytes", [0, 1, 65_537, 20 * _MEBIBYTE])
async def test_what_is_put_is_got(objects: blobs.Blobs, prefix: str, size_bytes: int):
    data = _noise(size_bytes)
    await objects.put(prefix + "object", data)
    await objects.put(prefix + "object", data)
    assert await objects.get(prefix + "object") == data
    assert await objects.get_checked(prefix + "object", digests.Digest.of(data)) == data


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 1000), (1, 2), (17, 900), (999, 1000), (400, None)])
async def test_a_range_is_exactly_its_bytes(objects: blobs.Blobs, prefix: str, start: int, stop: int | None):
    data = _noise(1000)
    await objects.put(prefix + "object", data)
    assert await objects.get(prefix + "object", start, stop) == data[start:stop]


async def test_a_range_beyond_the_end_is_an_error(objects: blobs.Blobs, prefix: str):
    await objects.put(prefix + "object", _noise(1000))
    with pytest.raises(errors.DomainError):
        await objects.get(prefix + "object", 990, 1010)


async def test_other_bytes_than_were_written_are_noticed(objects: blobs.Blobs, prefix: str):
    await objects.put(prefix + "object", b"other bytes")
    with pytest.raises(errors.InternalError, match="damaged"):
        await objects.get_checked(prefix + "object", digests.Digest.of(b"these bytes"))


async def test_what_is_not_there_is_an_error(objects: blobs.Blobs, prefix: str):
    with pytest.raises(errors.DomainError):
        await objects.get(prefix + "nothing")


@pytest.mark.parametrize("size_bytes", [0, 5, 16 * _MEBIBYTE, 40 * _MEBIBYTE + 3])
async def test_an_object_is_written_piece_by_piece(objects: blobs.Blobs, prefix: str, size_bytes: int):
    data, piece = _noise(size_bytes), 3 * _MEBIBYTE + 1
    async with objects.writing(prefix + "object") as writer:
        for start in range(0, size_bytes, piece):
            await writer.write(data[start : start + piece])
    got = await objects.get(prefix + "object")
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert not await _open_uploads(objects, prefix)


@pytest.mark.parametrize("size_bytes", [5, 40 * _MEBIBYTE])
async def test_an_object_whose_writing_broke_off_never_was(objects: blobs.Blobs, prefix: str, size_bytes: int):
    with pytest.raises(ZeroDivisionError):
        async with objects.writing(prefix + "object") as writer:
            await writer.write(_noise(size_bytes))
            raise ZeroDivisionError
    assert await objects.keys(prefix) == []
    assert not await _open_uploads(objects, prefix)


async def test_the_last_of_two_writers_leaves_its_object_whole(objects: blobs.Blobs, prefix: str):
    data = _noise(17 * _MEBIBYTE)

    async def write() -> None:
        async with objects.writing(prefix + "object") as writer:
            await writer.write(data)

    await asyncio.gather(write(), write())
    assert await objects.get_checked(prefix + "object", digests.Digest.of(data)) == data


async def test_keys_are_listed_and_deleted_by_prefix_beyond_one_page(objects: blobs.Blobs, prefix: str):
    names = [f"{prefix}a/{number:04d}" for number in range(1_003)]
    others = [prefix + "b", prefix + "ab"]
    for start in range(0, len(names), 50):
        await asyncio.gather(*(objects.put(name, b"x") for name in names[start : start + 50]))
    for name in others:
        await objects.put(name, b"y")
    assert sorted(await objects.keys(prefix + "a/")) == names
    assert await objects.delete_all(prefix + "a/") == len(names)
    assert sorted(await objects.keys(prefix)) == sorted(others)
    assert await objects.delete_all(prefix + "a/") == 0


async def test_parts_of_an_object_that_was_never_finished_are_deleted_by_prefix(objects: blobs.Blobs, prefix: str):
    for place in ("a/", "b/"):
        await objects.client.create_multipart_upload(Bucket=objects.bucket, Key=prefix + place + "object")
    assert await objects.delete_all(prefix + "a/") == 0
    assert not await _open_uploads(objects, prefix + "a/")
    assert await _open_uploads(objects, prefix + "b/")
    await asyncio.gather(*(objects.delete_all(prefix) for _ in range(3)))
    assert not await _open_uploads(objects, prefix)


async def test_an_object_that_is_gone_is_no_outage(objects: blobs.Blobs, prefix: str):
    for wanted in ((), (0, 10), (5,)):
        with pytest.raises(errors.InternalError) as refused:
            await objects.get(prefix + "object", *wanted)
        assert refused.value.facts == {"key": prefix + "object"}


async def test_a_second_process_finds_the_same_bucket(
    objects: blobs.Blobs, store: object_stores.ObjectStore, prefix: str
):
    await objects.put(prefix + "object", b"bytes")
    async with blobs.connected(_settings(store)) as second:
        assert await second.get(prefix + "object") == b"bytes"


async def _refusal(settings: config.CoordinatorConfig) -> str:
    with pytest.raises(errors.CapacityError) as refused:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(blobs.connected(settings))
    assert refused.value.reason is errors.Reason.BLOBS_UNAVAILABLE
    return str(refused.value)


async def test_a_wrong_secret_is_refused_and_not_told(store: object_stores.ObjectStore):
    wrong = "w" * 40
    told = await _refusal(_settings(store, blobs_secret_key=wrong))
    assert wrong not in told
    assert store.access_key not in told


async def test_a_certificate_of_another_authority_is_refused(store: object_stores.ObjectStore, tmp_path: pathlib.Path):
    stranger = object_stores.Certificate.issue(tmp_path)
    await _refusal(_settings(store, blobs_ca=stranger.ca))


async def test_a_store_that_is_not_there_is_an_outage(store: object_stores.ObjectStore):
    await _refusal(_settings(store, blobs_endpoint=f"https://{ports.LOOPBACK}:{ports.any_free()}"))
