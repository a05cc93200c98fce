"""Invented people: linked files of any size, with known truth, to try schemas and thresholds out on.

Whoever somebody is follows from the seed and the person's number alone; what a file makes of it, from those and the
file's number. So nothing is remembered, memory is constant, and the same plan gives the same bytes on every machine::

    plan = people.Plan(rows=1_000_000, files=2, overlap=0.5, seed=7)
    with open("north.csv", "wb") as stream:
        plan.write(stream, 0)

Names, streets and towns are lists of our own, with frequencies by a simple law; nobody is meant. The shipped linkage
schema `people` fits all columns.
"""

from __future__ import annotations

from hushlink_encoder.people.plan import COLUMNS, TRUTH, Plan

__all__ = ["COLUMNS", "TRUTH", "Plan"]
