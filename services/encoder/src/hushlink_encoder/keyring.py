"""The secrets an encoder holds: a folder with one file each, read when a stream begins and forgotten when it ends."""

from __future__ import annotations

import logging
import pathlib
import re

from hushlink_domain import errors
from hushlink_encoder import keys

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Keyring:
    """The secrets in one folder, by file name. A file that is added, replaced or removed counts from the next stream.

    Names are 1 to 128 letters, digits, dots, dashes and underscores, the first a letter or digit: no other folder can
    be reached, and hidden files are none. A file may be a symbolic link, as Kubernetes mounts secrets.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def secret(self, name: str) -> keys.Secret:
        """Read a secret.

        Raises:
            errors.CallerError: KEY_UNKNOWN, when there is none of this name.
            errors.StateError: KEY_UNKNOWN, when its file can't be used; the log tells the operator why.
        """
        if not _NAME.fullmatch(name):
            # The name is not repeated: somebody may have sent the secret itself.
            raise errors.CallerError(
                errors.Reason.KEY_UNKNOWN,
                "this is no name of a secret: a name has up to 128 letters, digits, '.', '-' and '_', and begins with "
                "a letter or digit; send the name under which the encoder's operator keeps the secret",
                key_name="",
            )
        path = self._folder / name
        try:
            if not path.is_file():
                raise errors.CallerError(
                    errors.Reason.KEY_UNKNOWN,
                    f"this encoder holds no secret named {name!r}: correct the name, or ask its operator to add it",
                    key_name=name,
                )
            secret = keys.read_secret(path)
        except PermissionError:
            raise self._unusable(name, "this process may not enter the folder of secrets") from None
        except keys.InvalidSecret as fault:
            raise self._unusable(name, fault.message) from None
        if why := keys.weakness(secret):
            logger.warning(
                "a secret can be guessed: agree on one from `hushlink secret new`",
                extra={"key_name": name, "cause": why},
            )
        return secret

    @staticmethod
    def _unusable(name: str, cause: str) -> errors.StateError:
        logger.error("a secret cannot be used", extra={"key_name": name, "cause": cause})
        return errors.StateError(
            errors.Reason.KEY_UNKNOWN,
            f"this encoder cannot use its secret named {name!r}: its operator finds the cause in its log",
            key_name=name,
        )
