from __future__ import annotations

import re

from calm_lm.culture.dimensions import DIMENSIONS


def test_four_dimensions_with_distinct_ids_two_poles_and_a_dated_source() -> None:
    assert [each.id for each in DIMENSIONS] == ["context", "directness", "hierarchy", "self-construal"]
    for each in DIMENSIONS:
        assert each.low != each.high
        assert each.description.count(".") == 1
        assert re.search(r"\((19|20)\d\d\)", each.source)
