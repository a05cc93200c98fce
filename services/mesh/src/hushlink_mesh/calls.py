"""What happens around every call a server takes: the protocol is checked, errors go to the desk, calls are counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from hushlink_domain import errors
from hushlink_mesh import error_desk, protocol, telemetry

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
"""What a handler is given beside its request."""

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]]


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of Hushlink's own services; health and reflection pass untouched."""

    def __init__(self, unary_timeout_seconds: float) -> None:
        self._unary_timeout_seconds = unary_timeout_seconds

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or not method.startswith("/hushlink."):
            return handler
        behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        wrap = self._streaming if handler.response_streaming else self._single
        kind = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return kind(
            wrap(method, behaviour, bounded=not handler.request_streaming),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _single(self, method: str, behaviour: Callable[..., Awaitable[Any]], *, bounded: bool) -> Callable[..., Any]:
        limit = self._unary_timeout_seconds if bounded else None

        async def single(request: Any, context: Context) -> Any:
            started = time.monotonic()
            own = asyncio.timeout(limit)
            try:
                _check_protocol(context)
                async with own:
                    answer = await behaviour(request, context)
            except Exception as error:
                await _refuse(method, _took_too_long(limit) if own.expired() else error, context)
            telemetry.CALLS.labels(method, "OK").inc()
            if bounded:
                telemetry.CALL_SECONDS.labels(method).observe(time.monotonic() - started)
            return answer

        return single

    def _streaming(
        self, method: str, behaviour: Callable[..., AsyncIterator[Any]], *, bounded: bool
    ) -> Callable[..., Any]:
        del bounded  # a stream lasts as long as its subject; its servicer bounds silence

        async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                _check_protocol(context)
                async for answer in behaviour(request, context):
                    yield answer
            except Exception as error:
                await _refuse(method, error, context)
            telemetry.CALLS.labels(method, "OK").inc()

        return streaming


def _took_too_long(seconds: float | None) -> errors.CapacityError:
    return errors.CapacityError(
        errors.Reason.LIMIT_EXCEEDED,
        f"the answer took longer than {seconds:g} seconds, this service's own limit: try again later",
        limit="unary_timeout_seconds",
        allowed=seconds,
    )


def _check_protocol(context: Context) -> None:
    for key, text in context.invocation_metadata() or ():
        if key == protocol.METADATA_KEY:
            protocol.check(str(text))


async def _refuse(method: str, error: Exception, context: Context) -> None:
    """End the call with the error's status. An abort that a handler has begun already is passed on."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    foreseen = error_desk.foreseen(error)
    telemetry.CALLS.labels(method, foreseen.reason.value).inc()
    await context.abort_with_status(error_desk.to_grpc(foreseen))


async def frames(stream: AsyncIterator[Any], idle_seconds: float) -> AsyncIterator[Any]:
    """The frames of a client's stream, which may not stay silent for longer than ``idle_seconds``.

    Raises:
        errors.CapacityError: LIMIT_EXCEEDED, when it does.
    """
    iterator = aiter(stream)
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                frame = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise errors.CapacityError(
                errors.Reason.LIMIT_EXCEEDED,
                f"no frame came for {idle_seconds:g} seconds: the stream is given up, start another",
                limit="idle_timeout_seconds",
                allowed=idle_seconds,
            ) from None
        yield frame
