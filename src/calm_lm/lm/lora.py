"""LoRA layers on chosen blocks of a frozen trunk, through peft (Hu et al. 2021, arXiv:2106.09685)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from calm_lm.errors import CalmError
from calm_lm.lm.quiet import quiet_libraries
from calm_lm.lm.trunk import Trunk

ADAPTER = "default"


class Lora:
    """LoRA injected in place into a trunk; at its start (B = 0) the trunk computes what it did before.

    Args:
        trunk: whose blocks are adapted.
        layers: blocks, counted from 0. States of layers up to `layers[0]` do not change.
        r: rank of each delta.
        alpha: scale; the delta is (alpha / r) B A.
        dropout: on the input of A, active between `train(True)` and `train(False)`.
        targets: names of linear modules inside a block.
        seed: of the random start of A; torch's own generators are left as they were.

    Raises:
        CalmError: L20 for blocks that are not there, L21 for targets that are not there.
    """

    def __init__(
        self, trunk: Trunk, layers: range, *, r: int, alpha: float, dropout: float, targets: Sequence[str], seed: int
    ) -> None:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel

        if trunk.blocks_name is None or not layers or min(layers) < 0 or max(layers) >= trunk.n_layers:
            raise CalmError(
                "L20",
                f"LoRA goes on blocks 0 to {trunk.n_layers - 1}.",
                field="layers",
                value=str(layers),
                fix="choose blocks within them.",
            )
        settings: Any = LoraConfig
        config = settings(
            r=r,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=list(targets),
            layers_to_transform=list(layers),
            layers_pattern=trunk.blocks_name.rsplit(".", 1)[-1],
        )
        device = next(iter(trunk.module.parameters())).device
        try:
            with quiet_libraries(), torch.random.fork_rng([device] if device.type == "cuda" else []):
                torch.manual_seed(seed)
                self._tuner: Any = LoraModel(trunk.module, config, ADAPTER)
        except ValueError as error:
            block = trunk.module.get_submodule(f"{trunk.blocks_name}.{layers[0]}")
            linear = sorted(name for name, part in block.named_modules() if isinstance(part, nn.Linear))
            raise CalmError(
                "L21",
                "the blocks have no such modules for LoRA.",
                field="targets",
                value=", ".join(targets),
                fix=f"choose among {', '.join(linear) or 'the linear modules of the architecture'}.",
            ) from error
        self._trunk = trunk
        trunk.module.eval()

    def parameters(self) -> list[Parameter]:
        """The trainable parameters, in a fixed order."""
        return [parameter for _, parameter in self._named()]

    def state(self) -> dict[str, Tensor]:
        """A copy of the deltas on the CPU, named from the trunk: `layers.3.self_attn.q_proj.lora_A.weight`."""
        return {name: parameter.detach().cpu().clone().contiguous() for name, parameter in self._named()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Replace the deltas, all or none.

        Raises:
            CalmError: L22 for missing or extra names, L23 for another shape, L24 for NaN or infinity.
        """
        own = dict(self._named())
        for name in sorted(own.keys() ^ state.keys()):
            problem = "is missing" if name in own else "is not part of these LoRA layers"
            raise CalmError(
                "L22",
                f"a LoRA tensor {problem}.",
                field=name,
                fix="load it with the layers and targets it was saved with.",
            )
        for name, parameter in own.items():
            if state[name].shape != parameter.shape:
                raise CalmError(
                    "L23",
                    f"a LoRA tensor has another shape than {tuple(parameter.shape)}.",
                    field=name,
                    value=str(tuple(state[name].shape)),
                    fix="load it with the rank it was saved with.",
                )
            if not torch.isfinite(state[name]).all():
                raise CalmError("L24", "a LoRA tensor holds NaN or infinity.", field=name, fix="restore the file.")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])

    def train(self, mode: bool) -> None:
        """Switch the dropout of the LoRA layers; the frozen blocks stay in evaluation mode."""
        for name, part in self._trunk.module.named_modules():
            if "lora_dropout" in name:
                part.train(mode)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside the block the trunk computes what it did before LoRA."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        layers = [part for part in self._trunk.module.modules() if isinstance(part, BaseTunerLayer)]
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)

    def remove(self) -> None:
        """Take the LoRA layers out again; the trunk is then the pretrained one."""
        self._tuner.unload()

    def _named(self) -> list[tuple[str, Parameter]]:
        return [
            (name.replace(f".{ADAPTER}.", "."), parameter)
            for name, parameter in self._trunk.module.named_parameters()
            if "lora_" in name
        ]
