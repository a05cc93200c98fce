"""Rights as they travel: the metadata entry ``authorization: Bearer RIGHT``."""

from __future__ import annotations

from hushlink_domain import errors
from hushlink_mesh import calls

METADATA_KEY = "authorization"
_SCHEME = "bearer "


class Right:
    """A bearer secret. Its text shows nothing, so that it can't slip into a log; ``reveal`` gives it on purpose."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "Right(***)"

    def reveal(self) -> str:
        """The secret itself."""
        return self._secret

    def metadata(self) -> tuple[str, str]:
        """The metadata entry that carries it."""
        return METADATA_KEY, f"Bearer {self._secret}"


def from_context(context: calls.Context) -> Right | None:
    """The right a call carries, or None."""
    for key, text in context.invocation_metadata() or ():
        if key == METADATA_KEY and isinstance(text, str) and text[: len(_SCHEME)].lower() == _SCHEME:
            return Right(text[len(_SCHEME) :].strip())
    return None


def required(context: calls.Context) -> Right:
    """The right a call carries.

    Raises:
        errors.CallerError: RIGHT_MISSING, when it carries none.
    """
    right = from_context(context)
    if right is None:
        raise errors.CallerError(
            errors.Reason.RIGHT_MISSING,
            "this call needs a right: send the metadata entry 'authorization: Bearer RIGHT'",
        )
    return right
