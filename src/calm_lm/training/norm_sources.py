"""The norm records a configuration names."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from calm_lm.culture.norms import NormStore
from calm_lm.files import sha256_bytes


def open_norms(name: str | None) -> NormStore | None:
    """`bundled` (records of the demo's training families), a JSONL file or a folder of such files, or None for none.

    Raises:
        CalmError: F01 for what cannot be read, also a folder without such a file; C13 to C18 for a wrong record.
    """
    if name is None:
        return None
    if name == "bundled":
        from calm_lm.data.sources.demo import bundled_families, norm_records

        return NormStore(norm_records(bundled_families()))
    from calm_lm.culture.norm_files import load_norms

    files = sorted(Path(name).glob("*.jsonl")) or [Path(name)]
    return NormStore(record for file in files for record in load_norms(file))


def fingerprint(norms: NormStore) -> str:
    """The sha256 over all records, so that answers given with other records are told apart."""
    return sha256_bytes(json.dumps([asdict(record) for record in norms]).encode())
