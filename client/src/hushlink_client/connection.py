"""A connection to a coordinator or an encoder, and the right that its calls carry."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, TypeVar

import grpc

from hushlink.mesh.v1 import server_service_pb2, server_service_pb2_grpc
from hushlink_client import errors, retries
from hushlink_domain import errors as domain_errors
from hushlink_mesh import channel as channels
from hushlink_mesh import config, error_desk, protocol, rights

if TYPE_CHECKING:  # generic in the stubs only
    from grpc.aio import UnaryUnaryMultiCallable

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

COORDINATOR = "coordinator"
ENCODER = "encoder"


@dataclasses.dataclass(frozen=True, slots=True)
class Connection:
    """An open connection. Everything the client does takes one as its first argument."""

    address: str
    """HOST:PORT."""
    service: str
    """What serves there: `COORDINATOR` or `ENCODER`."""
    channel: grpc.aio.Channel
    max_message_bytes: int
    """The largest message it accepts."""
    right: rights.Right | None = None
    """What calls are allowed by; None = nothing, which suffices to create projects where that is open."""

    def acting(self, right: rights.Right) -> Connection:
        """The same connection with another right."""
        return dataclasses.replace(self, right=right)

    def metadata(self) -> list[tuple[str, str]]:
        """What every call carries."""
        return channels.metadata(self.right)

    async def call(
        self,
        method: UnaryUnaryMultiCallable[RequestT, ResponseT],
        request: RequestT,
        *,
        repeatable: bool = True,
        seconds: float = channels.UNARY_TIMEOUT_SECONDS,
    ) -> ResponseT:
        """Make a unary call, and make it again while the coordinator is out of reach.

        Args:
            method: the stub's method.
            request: its request.
            repeatable: whether making the call twice does what making it once does.
            seconds: the deadline of all attempts together.

        Raises:
            domain_errors.DomainError: what the coordinator refused, or COORDINATOR_UNAVAILABLE.
        """
        backoff = retries.Backoff(retries.CALL_ATTEMPTS if repeatable else 1)
        deadline = asyncio.get_running_loop().time() + seconds
        with self.refusals():
            while True:
                remaining = max(0.0, deadline - asyncio.get_running_loop().time())
                try:
                    return await method(request, metadata=self.metadata(), timeout=remaining)
                except grpc.aio.AioRpcError as error:
                    await backoff.pause(error)

    @contextlib.contextmanager
    def refusals(self) -> Iterator[None]:
        """Turns failed calls into errors of the trade."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise error_desk.from_grpc(error) or _unforeseen(error, self) from None


@contextlib.asynccontextmanager
async def connected(
    address: str,
    channel_config: config.ChannelConfig | None = None,
    *,
    right: rights.Right | None = None,
    service: str = COORDINATOR,
) -> AsyncIterator[Connection]:
    """A connection that is open inside the ``async with`` block.

    Args:
        address: HOST:PORT.
        channel_config: how to check its certificate and show ours; None = no TLS.
        right: what calls are allowed by.
        service: what should serve there.

    Raises:
        errors.InputError: the address is none or something else's, or a certificate can't be read.
        domain_errors.DomainError: nobody serves there, or it speaks no protocol of ours.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise errors.InputError(f"{address!r} is no address: write HOST:PORT")
    try:
        opened = channels.connect(address, channel_config)
    except OSError as error:
        raise errors.InputError(f"cannot read the certificate {error.filename}: {error.strerror}") from None
    async with opened:
        connection = Connection(address, service, opened, max_message_bytes=0, right=right)
        info = await connection.call(
            server_service_pb2_grpc.ServerServiceStub(opened).GetServerInfo,
            server_service_pb2.GetServerInfoRequest(),
            seconds=20.0,
        )
        _check(info, connection)
        yield dataclasses.replace(connection, max_message_bytes=info.max_message_bytes)


def _check(info: server_service_pb2.GetServerInfoResponse, peer: Connection) -> None:
    if info.service != peer.service:
        raise errors.InputError(f"{peer.address} is a Hushlink {info.service}: give the address of the {peer.service}")
    if not info.protocol_oldest <= protocol.PROTOCOL <= info.protocol:
        raise domain_errors.CallerError(
            domain_errors.Reason.PROTOCOL_MISMATCH,
            f"the {peer.service} at {peer.address} (release {info.version}) speaks protocols {info.protocol_oldest} to "
            f"{info.protocol}, this client (release {protocol.VERSION}) {protocol.PROTOCOL}: upgrade the older side",
            protocol=protocol.PROTOCOL,
            oldest=info.protocol_oldest,
            newest=info.protocol,
        )


def _unforeseen(error: grpc.aio.AioRpcError, peer: Connection) -> domain_errors.DomainError:
    """The error of the trade for one that comes from the network or from somebody else's server."""
    cause = (error.details() or "").rpartition(": ")[2][:200]
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return domain_errors.CapacityError(
                domain_errors.Reason.COORDINATOR_UNAVAILABLE,
                f"cannot reach the {peer.service} at {peer.address}: {cause}",
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return domain_errors.CapacityError(
                domain_errors.Reason.COORDINATOR_UNAVAILABLE,
                f"the {peer.service} at {peer.address} did not answer in time: try again",
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return domain_errors.CallerError(
                domain_errors.Reason.PROTOCOL_MISMATCH, f"{peer.address} is no Hushlink {peer.service} of this release"
            )
        case code:
            return domain_errors.InternalError(
                domain_errors.Reason.INTERNAL, f"the call to {peer.address} failed with {code.name}: {cause}"
            )
