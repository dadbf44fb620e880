"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from calm_lm.lm.hf import HuggingFaceLM

torch.set_num_threads(2)
settings.register_profile("calm", deadline=None)  # a busy machine is no defect
settings.load_profile("calm")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets (`CALM_DATA`); tests that need it are reported as not run without it."""
    folder = os.environ.get("CALM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the real data sets: set CALM_DATA to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def embedded_lm() -> HuggingFaceLM:
    """The embedded backbone, from the user's own cache (converted once, about 35 s)."""
    from calm_lm.lm.hf import HuggingFaceLM

    return HuggingFaceLM.load("embedded")


@pytest.fixture(scope="session")
def embedded_folder() -> Path:
    """Where the embedded backbone lies, once it was converted."""
    from calm_lm.lm.embedded import embedded_backbone_folder

    return embedded_backbone_folder(notify=print)
