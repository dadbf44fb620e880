"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

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
