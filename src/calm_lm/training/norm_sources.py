"""The norm records a configuration names."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.errors import CalmError
from calm_lm.files import sha256_bytes


def open_norms(name: str | None) -> NormStore | None:
    """`bundled` (records of the demo's training families), a JSONL file or a folder of such files, or None for none.

    Raises:
        CalmError: F01 for what cannot be read, also a folder without such a file; C13 to C18 for a wrong record, T14
            for an id that stands in two files.
    """
    if name is None:
        return None
    if name == "bundled":
        from calm_lm.data.sources.demo import bundled_families, norm_records

        return NormStore(norm_records(bundled_families()))
    from calm_lm.culture.norm_files import load_norms

    files = sorted(Path(name).glob("*.jsonl")) or [Path(name)]
    records: dict[str, NormRecord] = {}
    for file in files:
        found = {record.id: record for record in load_norms(file)}
        for twice in sorted(found.keys() & records.keys())[:1]:
            raise CalmError(
                "T14", "is already the id of a record in another file of the folder.", file=file, field="id",
                value=twice, fix="give each norm its own id.",
            )  # fmt: skip
        records |= found
    return NormStore(records.values())


def fingerprint(norms: NormStore) -> str:
    """The sha256 over all records, so that answers given with other records are told apart."""
    return sha256_bytes(json.dumps([asdict(record) for record in norms]).encode())
