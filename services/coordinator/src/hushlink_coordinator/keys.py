"""Keys in the object store: where what rests. All of a project rests under one prefix, to go at once."""

from __future__ import annotations

from hushlink_domain import digests


def project(project_id: str) -> str:
    """The prefix of everything of a project."""
    return f"projects/{project_id}/"


def chunk(project_id: str, digest: digests.Digest) -> str:
    """A chunk of encodings."""
    return f"{project(project_id)}chunks/{digest.hex}"


def run(project_id: str, run_id: str) -> str:
    """The prefix of everything of a run."""
    return f"{project(project_id)}runs/{run_id}/"


def pairs(project_id: str, run_id: str) -> str:
    """The prefix of a run's sorted runs of pairs."""
    return f"{run(project_id, run_id)}pairs/"


def tile_pairs(project_id: str, run_id: str, tile_name: str, number: int) -> str:
    """A sorted run of pairs from a tile."""
    return f"{pairs(project_id, run_id)}{tile_name}-{number:05}"


def merged_pairs(project_id: str, run_id: str, object_name: str) -> str:
    """A sorted run of pairs that a merging pass made."""
    return f"{pairs(project_id, run_id)}merged-{object_name}"


def groups(project_id: str, run_id: str) -> str:
    """A run's groups."""
    return f"{run(project_id, run_id)}groups"
