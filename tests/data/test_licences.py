from __future__ import annotations

import pytest

from calm_lm.data.licences import gate, terms_of
from calm_lm.errors import CalmError

TERMS = {
    "MIT": {"permissive"},
    "Apache-2.0": {"permissive"},
    "CC-BY-4.0": {"permissive"},
    "CC-BY-3.0-US": {"permissive"},
    "CC0-1.0": {"permissive"},
    "CDLA-Permissive-2.0": {"permissive"},
    "CC-BY-SA-4.0": {"share-alike"},
    "GPL-3.0": {"share-alike"},
    "GPL-3.0-only": {"share-alike"},
    "AGPL-3.0-or-later": {"share-alike"},
    "ODbL-1.0": {"share-alike"},
    "CC-BY-NC-4.0": {"non-commercial"},
    "CC-BY-NC-SA-4.0": {"non-commercial", "share-alike"},
    "CC-BY-NC-ND-4.0": {"non-commercial", "no-derivatives"},
    "CC-BY-ND-4.0": {"no-derivatives"},
    "undeclared": {"undeclared"},
    "NOASSERTION": {"undeclared"},
    "": {"undeclared"},
    "my own terms": {"undeclared"},
    "cc-by-4.0 or so": {"undeclared"},
    "MIT AND CC-BY-NC-SA-4.0": {"permissive", "non-commercial", "share-alike"},
    "(MIT OR GPL-2.0-only)": {"permissive", "share-alike"},
}


@pytest.mark.parametrize(("licence", "terms"), TERMS.items())
def test_terms(licence, terms):
    assert terms_of(licence) == terms


def test_saving_warns_and_pushing_refuses():
    assert gate(["MIT", "CC-BY-4.0"], accept=False) == ()
    (line,) = gate(["CC-BY-SA-4.0", "MIT", "CC-BY-SA-4.0"], accept=False)
    assert line.startswith("CC-BY-SA-4.0: ")
    for licence in ("CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "undeclared", "who knows"):
        with pytest.raises(CalmError, match="--accept-licence") as caught:
            gate(["MIT", licence], accept=False)
        assert caught.value.code == "D80"
        assert licence in str(caught.value)
        assert len(gate(["MIT", licence], accept=True)) == 1


def test_nothing_named_is_undeclared():
    with pytest.raises(CalmError, match="D80"):
        gate([], accept=False)
    assert gate([], accept=True)
