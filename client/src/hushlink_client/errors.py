"""What goes wrong on this side of the wire. What a service refused is a ``hushlink_domain.errors.DomainError``."""

from __future__ import annotations


class ClientError(Exception):
    """Something on this machine failed; the message is one line that says what, where, and what to do."""


class InputError(ClientError):
    """A file or an option that was given is faulty; the same again cannot succeed."""


class MeshError(ClientError):
    """The development mesh, or a part of it, could not be started."""
