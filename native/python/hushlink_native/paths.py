"""The instruction sets that the kernel can use, and the one it does."""

import functools
import os

from hushlink_native import _binding

VARIABLE = "HUSHLINK_KERNEL"
"""Environment variable that forces a path by its name."""

_PATHS: dict[str, int] = {
    "portable": _binding.lib.HL_PORTABLE,
    "popcnt": _binding.lib.HL_POPCNT,
    "avx2": _binding.lib.HL_AVX2,
    "avx512": _binding.lib.HL_AVX512,
    "neon": _binding.lib.HL_NEON,
}


class UnavailablePathError(RuntimeError):
    """An instruction set was asked for that is unknown or that this machine does not have."""


def kernel_paths() -> list[str]:
    """Names of the paths that this build and machine can run, slowest first."""
    return [name for name, path in _PATHS.items() if _binding.lib.hl_path_available(path)]


def active_path() -> str:
    """Name of the path that is used: the fastest, or what HUSHLINK_KERNEL says.

    Raises UnavailablePathError when it names no available path.
    """
    forced = os.environ.get(VARIABLE)
    return _named(forced) if forced else kernel_paths()[-1]


def number(name: str | None) -> int:
    """The kernel's number of a path; None is the active path."""
    return _PATHS[active_path() if name is None else _named(name)]


@functools.lru_cache
def _named(name: str) -> str:
    available = kernel_paths()
    if name not in available:
        raise UnavailablePathError(
            f"kernel path {name!r} is not available here: use one of {', '.join(available)}, or unset {VARIABLE}"
        )
    return name
