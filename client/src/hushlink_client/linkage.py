"""A linkage in one go: records of several files in, groups out, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from hushlink_client import (
    concurrency,
    connection,
    encoding,
    encodings_file,
    errors,
    fault_report,
    groups_file,
    projects,
    results,
    runs,
    uploads,
)
from hushlink_domain import errors as domain_errors
from hushlink_domain import runs as domain_runs
from hushlink_domain import schema, states

PROJECT_NAME = "hushlink link"


@dataclasses.dataclass(frozen=True, slots=True)
class Agreement:
    """What the owners of all files agreed on."""

    schema_text: str
    agreed: schema.LinkageSchema
    secret: encoding.Secret = dataclasses.field(repr=False)
    threshold: float

    @classmethod
    def read(cls, schema_file: pathlib.Path, secret_file: pathlib.Path, threshold: float) -> Agreement:
        """Read and check it.

        Raises:
            errors.InputError: a file can't be read.
            hushlink_domain.errors.CallerError: schema, secret or threshold is faulty.
        """
        text = encoding.read_schema_text(schema_file)
        domain_runs.check_threshold(threshold)
        return cls(text, schema.parse_json(text), encoding.read_secret(secret_file), threshold)


class Observer(Protocol):
    """Who is told how far a linkage is."""

    def encoded(self, dataset: int, rows: int, fraction: float | None) -> None:
        """So many rows of a dataset have been encoded, which are that much of all datasets, if that is known."""

    def uploaded(self, dataset: int, rows: int, row_count: int) -> None:
        """So many rows of a dataset, of all it has, have been sent."""

    def ran(self, run: domain_runs.Run) -> None:
        """The run has changed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a linkage found, and how long its stages took."""

    summary: results.Summary
    comparisons: int
    seconds: dict[str, float]
    """By stage in their order: upload, planning, comparing, merging, solving, publishing, download."""


async def encode(
    records: Sequence[pathlib.Path],
    agreement: Agreement,
    workspace: pathlib.Path,
    observer: Observer,
    orders: encoding.Orders | None = None,
    report: fault_report.Report | None = None,
) -> list[encodings_file.EncodingsFile]:
    """Encode files of records, one after the other, into files in ``workspace``.

    Raises:
        hushlink_domain.errors.CallerError: a record is faulty.
        errors.InputError: the workspace can't be written.
    """
    fractions = _fractions(records)

    def one(dataset: int, file: pathlib.Path, check: Callable[[], None]) -> encodings_file.EncodingsFile:
        def on_rows(rows: int, fraction: float | None) -> None:
            check()
            before, share = sum(fractions[:dataset]), fractions[dataset]
            observer.encoded(dataset, rows, None if fraction is None else before + share * fraction)

        target = workspace / f"{dataset}.parquet"
        return encoding.encode_file(
            file, target, agreement.agreed, agreement.secret, orders, report=report, on_rows=on_rows
        )

    return await concurrency.in_thread(
        lambda check: [one(dataset, file, check) for dataset, file in enumerate(records)]
    )


def _fractions(files: Sequence[pathlib.Path]) -> list[float]:
    """How much of all files each is, by size."""
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    return [size / max(1, sum(sizes)) for size in sizes]


async def link(
    coordinator: connection.Connection,
    encoded: Sequence[encodings_file.EncodingsFile],
    agreement: Agreement,
    target: pathlib.Path,
    observer: Observer,
) -> Outcome:
    """Link encodings in a project of their own, which is deleted afterwards, also when something goes wrong.

    Args:
        coordinator: where, with the operator's right if it asks for one.
        encoded: one file per dataset; groups name the rows of their input.
        agreement: what they were encoded with.
        target: the CSV file of groups to write.
        observer: told how far it is.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
        errors.ClientError: the run did not succeed, or the target can't be written.
    """
    with encodings_file.replacing(target) as stream:  # before anything is made that would have to be undone
        created = await projects.create(
            coordinator,
            name=PROJECT_NAME,
            party_names=[f"dataset {dataset}" for dataset in range(len(encoded))],
            schema_json=agreement.schema_text,
        )
        owner = coordinator.acting(created.owner_right)
        project_id = created.project.project_id
        try:
            outcome = await _linked(owner, created, encoded, agreement, stream, observer)
        except BaseException:
            with contextlib.suppress(domain_errors.DomainError):  # what went wrong first is what counts
                await projects.delete(owner, project_id)
            raise
        await projects.delete(owner, project_id)
    return outcome


async def _linked(
    owner: connection.Connection,
    created: projects.Created,
    encoded: Sequence[encodings_file.EncodingsFile],
    agreement: Agreement,
    stream: BinaryIO,
    observer: Observer,
) -> Outcome:
    project_id = created.project.project_id
    seconds: dict[str, float] = {}
    with _timed(seconds, "upload"):
        check = await asyncio.to_thread(encoding.key_check, agreement.secret, agreement.agreed, project_id)
        await concurrency.together(
            *(_upload(owner, created, dataset, file, check, observer) for dataset, file in enumerate(encoded))
        )
    run = await runs.create(owner, project_id, agreement.threshold)
    async for now in runs.watch(owner, project_id, run.run_id):
        observer.ran(now)
        run = now
    check_succeeded(run)
    for stage in run.stages:
        if stage.end_time is not None:
            seconds[stage.state.value] = (stage.end_time - stage.start_time).total_seconds()
    summary = await results.summary(owner, project_id, run.run_id)
    with _timed(seconds, "download"):
        pages = results.pages(owner, project_id, run.run_id)
        await groups_file.write_csv(stream, pages, {n: file.row_numbers for n, file in enumerate(encoded)})
    return Outcome(summary, run.progress.comparisons_total, seconds)


async def _upload(
    owner: connection.Connection,
    created: projects.Created,
    dataset: int,
    file: encodings_file.EncodingsFile,
    check: bytes,
    observer: Observer,
) -> None:
    party = owner.acting(created.party_rights[dataset])
    await uploads.send(
        party,
        created.project.project_id,
        dataset,
        file.to_upload(check),
        on_rows=lambda rows: observer.uploaded(dataset, rows, file.row_count),
    )


def check_succeeded(run: domain_runs.Run) -> None:
    """Check that a run that has ended succeeded.

    Raises:
        errors.ClientError: it failed or was cancelled.
    """
    if run.state is states.RunState.SUCCEEDED:
        return
    why = f": {run.failure.message} ({run.failure.reason})" if run.failure else ""
    raise errors.ClientError(f"the run {run.run_id} {run.state.value}{why}")


@contextlib.contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - started
