"""The one desk that turns errors of the trade into gRPC status, and gRPC status back into errors of the trade.

On the wire an error is a ``google.rpc.Status`` with a ``google.rpc.ErrorInfo``: domain ``hushlink``, the reason's name
and its facts. An error we did not foresee becomes INTERNAL with a fixed text and the number of an incident; the log has
the rest.
"""

from __future__ import annotations

import logging
import secrets
import traceback

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from hushlink_domain import errors

ERROR_DOMAIN = "hushlink"

MESSAGE_BYTES = 1_200
FACT_BYTES = 300
"""The most that is told of a message and of each fact: a status travels in headers, and many clients take 8 KiB."""

logger = logging.getLogger(__name__)

_R = errors.Reason
_Code = grpc.StatusCode

CODES: dict[errors.Reason, grpc.StatusCode] = {
    _R.INVALID_REQUEST: _Code.INVALID_ARGUMENT,
    _R.STREAM_ORDER: _Code.INVALID_ARGUMENT,
    _R.PROTOCOL_MISMATCH: _Code.FAILED_PRECONDITION,
    _R.RIGHT_MISSING: _Code.UNAUTHENTICATED,
    _R.ACCESS_REFUSED: _Code.PERMISSION_DENIED,
    _R.SCHEMA_INVALID: _Code.INVALID_ARGUMENT,
    _R.THRESHOLD_OUT_OF_RANGE: _Code.INVALID_ARGUMENT,
    _R.METRIC_UNSUPPORTED: _Code.INVALID_ARGUMENT,
    _R.RESULT_TYPE_UNSUPPORTED: _Code.INVALID_ARGUMENT,
    _R.WIDTH_MISMATCH: _Code.FAILED_PRECONDITION,
    _R.FINGERPRINT_MISMATCH: _Code.FAILED_PRECONDITION,
    _R.KEY_CHECK_MISMATCH: _Code.FAILED_PRECONDITION,
    _R.CHUNK_RAGGED: _Code.INVALID_ARGUMENT,
    _R.CHUNK_CORRUPT: _Code.DATA_LOSS,
    _R.CHUNK_OFFSET: _Code.OUT_OF_RANGE,
    _R.COUNT_MISMATCH: _Code.DATA_LOSS,
    _R.DIGEST_MISMATCH: _Code.DATA_LOSS,
    _R.UPLOAD_EMPTY: _Code.INVALID_ARGUMENT,
    _R.UPLOAD_SUPERSEDED: _Code.ABORTED,
    _R.DATASET_SEALED: _Code.ALREADY_EXISTS,
    _R.RUN_NOT_FOUND: _Code.NOT_FOUND,
    _R.RUN_ENDED: _Code.FAILED_PRECONDITION,
    _R.RUN_FAILED: _Code.FAILED_PRECONDITION,
    _R.RESULT_NOT_READY: _Code.FAILED_PRECONDITION,
    _R.CURSOR_INVALID: _Code.INVALID_ARGUMENT,
    _R.KEY_UNKNOWN: _Code.NOT_FOUND,
    _R.RECORDS_INVALID: _Code.INVALID_ARGUMENT,
    _R.LIMIT_EXCEEDED: _Code.RESOURCE_EXHAUSTED,
    _R.COORDINATOR_UNAVAILABLE: _Code.UNAVAILABLE,
    _R.STORE_UNAVAILABLE: _Code.UNAVAILABLE,
    _R.BLOBS_UNAVAILABLE: _Code.UNAVAILABLE,
    _R.TILE_REFUSED: _Code.FAILED_PRECONDITION,
    _R.INTERNAL: _Code.INTERNAL,
}


def foreseen(error: Exception) -> errors.DomainError:
    """``error`` itself if it is one of the trade, else an INTERNAL one whose incident number is in the log.

    The log gets the places of the traceback and the type of the error, not its text: the text of an error we did not
    foresee may quote what it choked on.
    """
    if isinstance(error, errors.DomainError):
        return error
    incident = secrets.token_hex(6)
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    logger.error(
        "unforeseen error", extra={"incident": incident, "error_type": type(error).__qualname__, "places": places}
    )
    return errors.InternalError(
        errors.Reason.INTERNAL,
        f"an internal fault; quote incident {incident} to the operator of the service",
        incident=incident,
    )


def to_status(error: errors.DomainError) -> status_pb2.Status:
    """The wire form of an error of the trade."""
    facts = {name: clipped(fact, FACT_BYTES) for name, fact in error.facts.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN, metadata=facts)
    detail = any_pb2.Any()
    detail.Pack(info)
    code: int = CODES[error.reason].value[0]
    return status_pb2.Status(code=code, message=clipped(error.message, MESSAGE_BYTES), details=[detail])


def clipped(text: str, most_bytes: int) -> str:
    """The text, or as much of its beginning as fits into so many bytes of UTF-8, with three dots behind it."""
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= most_bytes else encoded[: most_bytes - 3].decode(errors="ignore") + "..."


def to_grpc(error: Exception) -> grpc.Status:
    """What ``context.abort_with_status`` takes, for any error."""
    return rpc_status.to_status(to_status(foreseen(error)))


def from_grpc(error: grpc.aio.AioRpcError) -> errors.DomainError | None:
    """The error of the trade inside a failed call, or None when it did not come from a Hushlink service."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it asks for code, details, trailing_metadata
    if status is None:
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR) and detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            return _blamed(info.reason, status.message, dict(info.metadata))
    return None


def _blamed(reason_name: str, message: str, facts: dict[str, str]) -> errors.DomainError:
    try:
        reason = errors.Reason(reason_name)
    except ValueError:  # a newer peer knows more reasons
        return errors.InternalError(errors.Reason.INTERNAL, message, **facts, peer_reason=reason_name)
    code = CODES[reason]
    blamed: type[errors.DomainError]
    if code in (_Code.UNAVAILABLE, _Code.RESOURCE_EXHAUSTED):
        blamed = errors.CapacityError
    elif code is _Code.INTERNAL:
        blamed = errors.InternalError
    elif code in (_Code.FAILED_PRECONDITION, _Code.ABORTED, _Code.ALREADY_EXISTS, _Code.NOT_FOUND):
        blamed = errors.StateError
    else:
        blamed = errors.CallerError
    return blamed(reason, message, **facts)
