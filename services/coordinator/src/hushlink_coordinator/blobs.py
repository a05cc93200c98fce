"""The only door to the object store: bytes by key.

S3 servers differ, so nothing here rests on conditional writes, ETags or the order of listings: an object exists when
Postgres says so, a key never gets other bytes, and digests are our own.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aioboto3
import aiohttp
import botocore.config
import botocore.exceptions

from hushlink_coordinator import config
from hushlink_domain import digests, errors

_PART_BYTES = 16 << 20
_DELETE_KEYS = 1_000  # the most that one DeleteObjects call takes

_FAILURES = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, aiohttp.ClientError, OSError)


class Blobs:
    """Objects of one bucket. Outages come out as BLOBS_UNAVAILABLE, so that callers back off."""

    def __init__(self, client: Any, bucket: str) -> None:
        self.client = client
        self.bucket = bucket

    async def put(self, key: str, data: bytes) -> None:
        """Write an object; the same key with the same bytes again is fine."""
        with _outages():
            await self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    @contextlib.asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[Writer]:
        """A writer of an object of any size, which exists once the block ends without an error."""
        writer = Writer(self, key)
        try:
            yield writer
            await writer.finish()
        except BaseException:
            await writer.abandon()
            raise

    async def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        """An object's bytes, or those from ``start`` up to ``stop``.

        Raises:
            errors.InternalError: INTERNAL, when the store lost it, or gave less than was asked for.
        """
        whole = start == 0 and stop is None
        wanted = {} if whole else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        with _outages():
            try:
                answer = await self.client.get_object(Bucket=self.bucket, Key=key, **wanted)
            except self.client.exceptions.NoSuchKey:
                raise damaged(key) from None
            async with answer["Body"] as body:
                data: bytes = await body.read()
        if stop is not None and len(data) != stop - start:
            raise damaged(key)
        return data

    async def get_checked(self, key: str, digest: digests.Digest) -> bytes:
        """An object's bytes, which must have this digest.

        Raises:
            errors.InternalError: INTERNAL, when the store gave other bytes than were written.
        """
        data = await self.get(key)
        if digests.Digest.of(data) != digest:
            raise damaged(key)
        return data

    async def keys(self, prefix: str) -> list[str]:
        """The keys that start with ``prefix``, in no order."""
        found: list[str] = []
        with _outages():
            async for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                found += [entry["Key"] for entry in page.get("Contents", ())]
        return found

    async def delete_all(self, prefix: str) -> int:
        """Delete every object whose key starts with ``prefix``, look again that none is left, and return how many."""
        deleted = 0
        while keys := await self.keys(prefix):
            with _outages():
                for start in range(0, len(keys), _DELETE_KEYS):
                    batch = [{"Key": key} for key in keys[start : start + _DELETE_KEYS]]
                    answer = await self.client.delete_objects(
                        Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True}
                    )
                    if answer.get("Errors"):
                        raise errors.CapacityError(
                            errors.Reason.BLOBS_UNAVAILABLE, "the object store did not delete every object: try again"
                        )
            deleted += len(keys)
        await self._abort_uploads(prefix)
        return deleted

    async def _abort_uploads(self, prefix: str) -> None:
        """Delete the parts of objects that were never finished, which a process that died leaves behind."""
        none = self.client.exceptions.NoSuchUpload  # somebody else was quicker; or rclone's word for an empty list
        with _outages(), contextlib.suppress(none):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            async for page in pages:
                for upload in page.get("Uploads", ()):
                    with contextlib.suppress(none):
                        await self.client.abort_multipart_upload(
                            Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )

    async def ensure_bucket(self) -> None:
        """Create the bucket unless it is there."""
        with _outages():
            try:
                await self.client.head_bucket(Bucket=self.bucket)
            except botocore.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                with contextlib.suppress(self.client.exceptions.BucketAlreadyOwnedByYou):
                    await self.client.create_bucket(Bucket=self.bucket)


class Writer:
    """Writes one object piece by piece: at once if it is small, else in parts. Holds one part in memory."""

    def __init__(self, objects: Blobs, key: str) -> None:
        self._objects = objects
        self._key = key
        self._buffer = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []

    @property
    def _place(self) -> dict[str, str]:
        return {"Bucket": self._objects.bucket, "Key": self._key}

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data
        while len(self._buffer) >= _PART_BYTES:
            part = bytes(memoryview(self._buffer)[:_PART_BYTES])
            del self._buffer[:_PART_BYTES]
            await self._write_part(part)

    async def _write_part(self, data: bytes) -> None:
        client = self._objects.client
        with _outages():
            if self._upload is None:
                self._upload = (await client.create_multipart_upload(**self._place))["UploadId"]
            number = len(self._parts) + 1
            part = await client.upload_part(**self._place, UploadId=self._upload, PartNumber=number, Body=data)
            self._parts.append({"PartNumber": number, "ETag": part["ETag"]})

    async def finish(self) -> None:
        """Make the object exist."""
        if self._upload is None:
            await self._objects.put(self._key, bytes(self._buffer))
            return
        if self._buffer:
            await self._write_part(bytes(self._buffer))
        with _outages():
            await self._objects.client.complete_multipart_upload(
                **self._place, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
            )

    async def abandon(self) -> None:
        """Leave no part behind."""
        if self._upload is not None:
            with contextlib.suppress(*_FAILURES):
                await self._objects.client.abort_multipart_upload(**self._place, UploadId=self._upload)


def damaged(key: str) -> errors.InternalError:
    """What is said of an object that is gone, or whose bytes are not those that were written."""
    return errors.InternalError(
        errors.Reason.INTERNAL,
        f"the object {key} is gone or not what was written: the object store lost or damaged it",
        key=key,
    )


@contextlib.contextmanager
def _outages() -> Any:
    try:
        yield
    except _FAILURES as error:
        raise errors.CapacityError(
            errors.Reason.BLOBS_UNAVAILABLE, "the coordinator can't use its object store: try again later"
        ) from error


@contextlib.asynccontextmanager
async def connected(settings: config.CoordinatorConfig) -> AsyncIterator[Blobs]:
    """The bucket of the configuration, created if it is not there."""
    session = aioboto3.Session()
    client_config = botocore.config.Config(
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=settings.blobs_connections,
        retries={"mode": "standard", "max_attempts": 4},
        # Bodies are not signed: TLS guards them on the way, our own digests find what changed at rest, and a third
        # SHA-256 over every chunk would only cost time.
        s3={"addressing_style": "path", "payload_signing_enabled": False},
        # Default checksums make a chunked body without a length over TLS, which radosgw and rclone refuse.
        request_checksum_calculation=settings.blobs_checksums,
        response_checksum_validation=settings.blobs_checksums,
    )
    async with session.client(
        "s3",
        endpoint_url=settings.blobs_endpoint,
        region_name=settings.blobs_region,
        aws_access_key_id=settings.blobs_access_key.get_secret_value(),
        aws_secret_access_key=settings.blobs_secret_key.get_secret_value(),
        verify=str(settings.blobs_ca) if settings.blobs_ca else None,
        config=client_config,
    ) as client:
        blobs = Blobs(client, settings.blobs_bucket)
        await blobs.ensure_bucket()
        yield blobs
