"""From a configuration to what makes its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy import typing as npt

from hushlink_encoder import keys
from hushlink_encoder.blocking import block_keys, blocks, configuration, lambda_fold, p_sig


class Blocker(Protocol):
    """Takes one dataset in batches, and gives its blocks; for one use, from one thread."""

    def add(self, columns: Sequence[Sequence[str]]) -> None:
        """Take the next records, column by column, all columns that the configuration was read with."""

    def finish(self) -> blocks.Blocks:
        """The blocks of all that was taken."""


class EncodingsBlocker(Protocol):
    """The same for encodings."""

    def add_encodings(self, encodings: npt.NDArray[np.uint8]) -> None:
        """Take the next rows of packed bits."""

    def finish(self) -> blocks.Blocks:
        """The blocks of all that was taken."""


def blocker(agreed: configuration.Configuration, secret: keys.Secret | None = None) -> Blocker:
    """What makes the blocks of records.

    Raises:
        hushlink_encoder.InvalidSecret: the configuration is keyed, and there is no secret.
        hushlink_domain.errors.CallerError: the configuration needs a package that is not installed.
    """
    names = _names(agreed, secret)
    if isinstance(agreed.method, configuration.PSig):
        return p_sig.PSigBlocker(agreed, names)
    return lambda_fold.LambdaFoldBlocker(agreed, names)


def encodings_blocker(agreed: configuration.Configuration, secret: keys.Secret | None = None) -> EncodingsBlocker:
    """What makes the blocks of encodings: lambda-fold with `input-clks`. Errors as `blocker`.

    Raises:
        ValueError: the configuration is of p-sig.
    """
    if not isinstance(agreed.method, configuration.LambdaFold):
        raise ValueError("p-sig makes blocks of records, not of encodings")
    return lambda_fold.LambdaFoldBlocker(agreed, _names(agreed, secret))


def _names(agreed: configuration.Configuration, secret: keys.Secret | None) -> block_keys.KeyedNames | None:
    if agreed.mode is configuration.Mode.COMPAT:
        return None
    if secret is None:
        raise keys.InvalidSecret("keyed blocking needs the linkage secret: without it anybody could test guesses")
    return block_keys.KeyedNames(secret, agreed.fingerprint())
