"""The table: one row for each case and rival, the bar beside the ratio."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from benchmarks.kernel import rounds

BEST_PATH = "avx512"
"""The instruction set that most bars are set for."""

HEAD = (
    "| case | path | hushlink | rival | its speed | ratio min / median / max | bar |",
    "|---|---|---|---|---|---|---|",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """What the kernel is held to: a ratio and, where given, a speed of its own in pairs per second."""

    ratio: float
    speed: float = 0.0

    def __str__(self) -> str:
        speed = f" and {self.speed / 1e9:.1f} G/s" if self.speed else ""
        return f">= {self.ratio:g}{speed}"

    def reached(self, ratio: float, speed: float) -> bool:
        """Are both reached?"""
        return ratio >= self.ratio and speed >= self.speed


ANY_PATH = ""
"""The key of a bar that holds on every path."""

Bars = Mapping[str, Bar]
"""Bars by path."""

NOT_BEHIND: Bars = {ANY_PATH: Bar(1.0)}


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One case on one path."""

    case: str
    path: str
    speeds: rounds.Speeds
    bars: Mapping[str, Bars]
    """By rival; a rival without any may only not be ahead."""
    lower: bool = False
    """Is the path below the best of this machine?"""
    by_best: bool = False
    """Is the bar for the best round, not for the median?"""
    scale: tuple[float, str] = (1e9, "G/s")

    def rows(self) -> Iterator[str]:
        """The case as rows of the table."""
        divisor, unit = self.scale
        ours = self.speeds.median(rounds.OURS)
        for rival in self.speeds.rivals:
            ratios = self.speeds.ratios(rival)
            cells = [
                *(self.case, self.path, f"{ours / divisor:.3g} {unit}"),
                *(rival, f"{self.speeds.median(rival) / divisor:.3g} {unit}", str(ratios)),
                self._bar(self.bars.get(rival, NOT_BEHIND), ratios.best if self.by_best else ratios.median, ours),
            ]
            yield f"| {' | '.join(cells)} |"

    def _bar(self, bars: Bars, ratio: float, speed: float) -> str:
        """The bar of the path and whether it was reached; where the best path is another, that of AVX-512 too."""
        bar = bars.get(self.path, bars.get(ANY_PATH))
        cell = f"{bar}: {'reached' if bar.reached(ratio, speed) else 'MISSED'}" if bar else ""
        untried = self.path != BEST_PATH and BEST_PATH in bars and not self.lower
        return f"{cell} ({bars[BEST_PATH]} with AVX-512)".strip() if untried else cell
