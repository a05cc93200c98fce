"""What may vary in dispatch."""

from __future__ import annotations

import dataclasses

from hushlink_mesh import config


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How matchers are found and how long they are trusted."""

    matchers: tuple[str, ...]
    """HOST:PORT of each matcher, or of a name that stands for several."""
    resolve_seconds: float = 3.0
    """How often the names are looked up."""
    channel: config.ChannelConfig = dataclasses.field(default_factory=config.ChannelConfig)
    """How this process proves itself to matchers."""
    pair_credit_bytes: int = 16 << 20
    """How many bytes of pairs a matcher may have on the way to the sink. Where tiles have longer runs than half of it,
    a matcher is given room for two of them.
    """
    chunk_shelf_bytes: int = 64 << 20
    """How many bytes of chunks are kept for the next matcher that needs them."""
    hello_seconds: float = 10.0
    """How long a matcher may take to introduce itself."""
    silence_seconds: float = 3.0
    """A matcher with tiles that says nothing for so long is taken for hung: its tiles are given to others as well."""
    stall_seconds: float = 30.0
    """A tile that does not advance for so long is given to another matcher as well."""
    unfit_seconds: float = 15.0
    """A tile that none of the connected matchers can ever take is refused after so long."""
    attempts: int = 5
    """After how many failed attempts a tile is refused."""
    tick_seconds: float = 0.25
    """How often late matchers and tiles are looked for."""
    redial_seconds: float = 2.0
    """A matcher that can't be reached is tried again after so long at the most."""
    distrust_seconds: float = 60.0
    """A matcher that broke the protocol is tried again after so long."""
