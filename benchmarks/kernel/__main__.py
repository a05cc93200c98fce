"""The kernel beside its rivals on the same data and core; prints one table in Markdown.

usage: python -m benchmarks.kernel [--rounds 3] [--scale 1.0] [--cases t85 half ...] [--paths avx2 ...]

Everybody works in turn, round by round, and each round gives a ratio: the table shows the least, the median and the
greatest. Speeds are medians per second of processor time of one thread, so that other work on the machine disturbs
them little; the row for two threads uses the clock on the wall, and its rival is ourselves. What rivals need beforehand
(bit arrays, an index, packing) is not timed; what the kernel needs (popcounts, the plan, transposing) is.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Iterator, Sequence

import hushlink_native
from benchmarks.kernel import encodings, groups, joins, machine, rivals, sizes, table

SOLVER = "solver"
NAMES = (*(case.name for case in joins.CASES), joins.HALF, joins.THREADS, SOLVER)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def head(amounts: sizes.Sizes, opponents: Sequence[rivals.Rival]) -> Iterator[str]:
    """What is compared with what, and how."""
    version = importlib.metadata.version("hushlink-native")
    yield f"hushlink {version} beside {', '.join(f'{rival.name} {rival.version}' for rival in opponents)}"
    yield f"{machine.described()}; paths {', '.join(hushlink_native.kernel_paths())}"
    yield f"{encodings.WIDTH_BITS} bits; {amounts}"


def notes(opponents: Sequence[rivals.Rival], absent: Sequence[str], remarks: Sequence[str]) -> Iterator[str]:
    """What a reader of the table has to know."""
    yield from (f"- {rival.difference}." for rival in opponents if rival.difference)
    yield from (f"- {line}." for line in (*absent, *remarks))
    if table.BEST_PATH not in hushlink_native.kernel_paths():
        yield "- This machine has no AVX-512 with VPOPCNTDQ: bars set for it are in brackets, and were not tried."


def results(bench: joins.Bench, amounts: sizes.Sizes, options: argparse.Namespace) -> Iterator[table.Result]:
    """Every case that was asked for, on the paths that were."""
    best = hushlink_native.active_path()
    paths = options.paths or [best, *joins.lower_paths(best)]
    for path in paths:
        first = path == paths[0]
        wanted = (case for case in joins.CASES if case.name in options.cases and (first or case.lower_paths))
        for case in wanted:
            yield bench.run(case, path, alone=not first)
    if joins.HALF in options.cases:
        yield bench.half(paths[0])
    if joins.THREADS in options.cases:
        yield bench.threads(paths[0])
    for parties in groups.PARTIES if SOLVER in options.cases else ():
        yield groups.solver(options.rounds, amounts.pairs, amounts.peer_pairs, parties)


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case (two threads: always 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all sizes")
    parser.add_argument("--cases", nargs="*", choices=NAMES, default=NAMES, metavar="CASE", help=" ".join(NAMES))
    parser.add_argument("--paths", nargs="*", choices=hushlink_native.kernel_paths(), help="the first meets all rivals")
    options = parser.parse_args()
    amounts = sizes.Sizes().scaled(options.scale)
    opponents, absent = rivals.present()
    bench = joins.Bench(amounts, options.rounds, opponents)
    for line in (*head(amounts, opponents), "", *table.HEAD):
        say(line)
    for result in results(bench, amounts, options):
        for row in result.rows():
            say(row)
    say("")
    for line in notes(opponents, absent, bench.remarks):
        say(line)


if __name__ == "__main__":
    main()
