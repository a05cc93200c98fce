"""How much everybody gets to do."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of the sets and pairs for the solvers. Who is slow gets fewer, at the same number of right rows."""

    left: int = 100_000
    right: int = 20_000
    peer_left: int = 20_000
    """Left rows for anonlink and for slow paths of the kernel."""
    rival_left: int = 10_000
    """Left rows for the other rivals, whose work is the same for each of them."""
    half: int = 10_000
    """Rows a side where half of all pairs match."""
    peer_half: int = 5_000
    """The same for anonlink, which holds all its results and slows down as they grow."""
    pairs: int = 10_000_000
    """Candidate pairs for the solver."""
    peer_pairs: int = 2_000_000
    """The same for anonlink's, which takes minutes for all of them and is faster, pair by pair, with fewer."""

    def scaled(self, by: float) -> Sizes:
        """All sizes times a factor, at least 100."""
        return Sizes(*(max(100, int(size * by)) for size in dataclasses.astuple(self)))

    def __str__(self) -> str:
        return (
            f"left rows {self.left:,}, slow paths and anonlink {self.peer_left:,}, other rivals {self.rival_left:,}; "
            f"right rows {self.right:,}; half match: {self.half:,} a side, anonlink {self.peer_half:,}; "
            f"solver: {self.pairs:,} pairs, anonlink {self.peer_pairs:,}"
        )
