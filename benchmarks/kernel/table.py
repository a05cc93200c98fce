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


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One case on one path."""

    case: str
    path: str
    speeds: rounds.Speeds
    bars: Mapping[str, Bars]
    """By rival; a rival without any may only not be ahead."""
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
                bar_cell(self.bars.get(rival, NOT_BEHIND), self.path, self._judged(ratios), ours),
            ]
            yield f"| {' | '.join(cells)} |"

    def _judged(self, ratios: rounds.Spread) -> float:
        return ratios.best if self.by_best else ratios.median


NOT_BEHIND: Bars = {ANY_PATH: Bar(1.0)}


def bar_cell(bars: Bars, path: str, ratio: float, speed: float) -> str:
    """The bar for this path and whether it was reached; that of AVX-512 is named where this path is another."""
    bar = bars.get(path, bars.get(ANY_PATH))
    parts = []
    if bar is not None:
        parts.append(f"{bar}: {'reached' if bar.reached(ratio, speed) else 'MISSED'}")
    if path != BEST_PATH and BEST_PATH in bars:
        parts.append(f"({bars[BEST_PATH]} with AVX-512)")
    return " ".join(parts)
