"""CALM: culturally self-aware language models, to train, inspect and measure.

An independent, unofficial reimplementation from public descriptions. The names below load their module
when they are first used, so that `import calm_lm` stays fast and touches neither torch nor the network.

Example:
    >>> import calm_lm
    >>> model = calm_lm.CalmModel.from_pretrained("runs/crehate/seed-0/model")  # doctest: +SKIP
    >>> model.predict(["..."], [calm_lm.Blend.parse("SG")])[0].label  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from calm_lm.culture.blend import Blend as Blend
    from calm_lm.data.example import Dataset as Dataset
    from calm_lm.data.example import Example as Example
    from calm_lm.data.own import Columns as Columns
    from calm_lm.data.own import read_table as read_table
    from calm_lm.data.registry import load as load_dataset
    from calm_lm.errors import CalmError as CalmError
    from calm_lm.model.answers import Inspection as Inspection
    from calm_lm.model.answers import Prediction as Prediction
    from calm_lm.model.calm import CalmModel as CalmModel
    from calm_lm.training.config import RunConfig as RunConfig
    from calm_lm.training.presets import build_config as build_config
    from calm_lm.training.run import run_seeds as run_seeds

_PUBLIC = {
    "Blend": ("calm_lm.culture.blend", "Blend"),
    "CalmError": ("calm_lm.errors", "CalmError"),
    "CalmModel": ("calm_lm.model.calm", "CalmModel"),
    "Columns": ("calm_lm.data.own", "Columns"),
    "Dataset": ("calm_lm.data.example", "Dataset"),
    "Example": ("calm_lm.data.example", "Example"),
    "Inspection": ("calm_lm.model.answers", "Inspection"),
    "Prediction": ("calm_lm.model.answers", "Prediction"),
    "RunConfig": ("calm_lm.training.config", "RunConfig"),
    "build_config": ("calm_lm.training.presets", "build_config"),
    "load_dataset": ("calm_lm.data.registry", "load"),
    "read_table": ("calm_lm.data.own", "read_table"),
    "run_seeds": ("calm_lm.training.run", "run_seeds"),
}

__all__ = [
    "Blend",
    "CalmError",
    "CalmModel",
    "Columns",
    "Dataset",
    "Example",
    "Inspection",
    "Prediction",
    "RunConfig",
    "__version__",
    "build_config",
    "load_dataset",
    "read_table",
    "run_seeds",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'calm_lm' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
