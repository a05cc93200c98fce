"""Options that several subcommands share."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import click

from hushlink_client import connection, errors
from hushlink_mesh import config, rights

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=pathlib.Path)
FOLDER = click.Path(file_okay=False, path_type=pathlib.Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
quiet = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
ca = click.option("--ca", envvar="HUSHLINK_CA", type=FILE, help="PEM authorities of its certificate; none = no TLS.")
project = click.option("--project", "project_id", required=True, help="The project's id.")


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The coordinator that was named, and how to reach it."""

    address: str
    channel_config: config.ChannelConfig
    right: rights.Right | None

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[connection.Connection]:
        """A connection that is open inside the ``async with`` block.

        Raises:
            hushlink_client.errors.InputError: the address or a certificate is faulty.
            hushlink_domain.errors.DomainError: it can't be reached, or refuses us.
        """
        async with connection.connected(self.address, self.channel_config, right=self.right) as opened:
            yield opened


def target(*, required: bool = True) -> Callable[[F], F]:
    """Adds the options that name a coordinator; the command gets them as ``target``, None if it was not named."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def named(
            coordinator: str | None,
            ca: pathlib.Path | None,
            certificate: pathlib.Path | None,
            key: pathlib.Path | None,
            right_file: pathlib.Path | None,
            right: str | None,
            **rest: Any,
        ) -> Any:
            if coordinator is None:
                return function(target=None, **rest)
            channel_config = config.ChannelConfig(ca=ca, certificate=certificate, key=key)
            held = read_right(right_file) if right_file else rights.Right(right.strip()) if right else None
            return function(target=Target(coordinator, channel_config, held), **rest)

        for option in reversed(_options(required=required)):
            named = option(named)
        return named  # type: ignore[return-value]

    return decorate


def _options(*, required: bool) -> list[Callable[[Any], Any]]:
    return [
        click.option(
            "--coordinator",
            envvar="HUSHLINK_COORDINATOR",
            metavar="HOST:PORT",
            required=required,
            help="The coordinator  [environment: HUSHLINK_COORDINATOR].",
        ),
        click.option(
            "--ca", envvar="HUSHLINK_CA", type=FILE, help="PEM authorities of its certificate; none = no TLS."
        ),
        click.option("--certificate", type=FILE, help="PEM certificate to show, where it asks for one."),
        click.option("--key", type=FILE, help="PEM private key of that certificate."),
        click.option("--right-file", type=FILE, help="File with the right to act with."),
        click.option("--right", envvar="HUSHLINK_RIGHT", hidden=True, callback=_from_environment),
    ]


def _from_environment(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """A right comes from the environment or from a file: what is an argument, everybody on the machine may read."""
    source = context.get_parameter_source(parameter.name or "")
    if source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("a right is no argument, which others could read: use --right-file or HUSHLINK_RIGHT")
    return given


def read_right(file: pathlib.Path) -> rights.Right:
    """The right in a file.

    Raises:
        errors.InputError: it can't be read, or holds none.
    """
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise errors.InputError(f"cannot read the right file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if not text or any(character.isspace() for character in text):
        raise errors.InputError(f"the right file {file} holds no right")
    return rights.Right(text)
