"""Matrix products in 8-bit integers: twice as fast on processors with VNNI, and close enough for captions.

Weights are scaled by output channel, activations shifted and scaled by row as they come (after LLM.int8(), Dettmers et
al. 2022, without its outliers). PyTorch's own dynamic quantisation has one scale for all rows: on BLIP's encoder it is
no faster, and its result lies further off.
"""

import torch
from torch import Tensor, nn

_LEVELS = 127
_TINY = 1e-12


class Int8Linear(nn.Module):  # type: ignore[misc]  # the type checker doesn't follow torch
    """`nn.Linear` for inference, its weights (outputs, inputs) kept in 8 bits."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = (weight.abs().amax(1) / _LEVELS).clamp_min(_TINY)
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8).t())
        self.register_buffer("scale", scale)
        self.register_buffer("sums", self.weight.float().sum(0) * scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """`x` of shape (..., inputs) to (..., outputs), both float32."""
        rows = x.reshape(-1, x.shape[-1])
        low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
        middle, scale = (low + high) / 2, ((high - low) / (2 * _LEVELS)).clamp_min_(_TINY)
        levels = ((rows - middle) / scale).round_().to(torch.int8)
        product = torch._int_mm(levels, self.weight)  # noqa: SLF001 (it has no public name)
        result = product.float().mul_(scale).mul_(self.scale).add_(middle * self.sums)
        if self.bias is not None:
            result.add_(self.bias)
        return result.view(*x.shape[:-1], -1)


def in_int8(module: nn.Module) -> nn.Module:
    """The module with every linear layer in it replaced."""
    if isinstance(module, nn.Linear):
        return Int8Linear(module)
    for name, child in module.named_children():
        setattr(module, name, in_int8(child))
    return module


def pays() -> bool:
    """Whether this processor multiplies 8-bit integers faster than floats (VNNI, AMX)."""
    has = torch.cpu.get_capabilities()
    return any(has.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))
