"""The norm records a configuration names."""

from __future__ import annotations

from pathlib import Path

from calm_lm.culture.norms import NormStore


def open_norms(name: str | None) -> NormStore | None:
    """`bundled` (records of the demo's training families), a JSONL file, or None for reflection without evidence."""
    if name is None:
        return None
    if name == "bundled":
        from calm_lm.data.sources.demo import bundled_families, norm_records

        return NormStore(norm_records(bundled_families()))
    from calm_lm.culture.norm_files import load_norms

    return load_norms(Path(name))
