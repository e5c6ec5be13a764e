"""Apply a torch module to windows, independent of torch's global settings."""

import threading
from typing import Any

import numpy as np
import torch
from torch import nn

from skcoldstart._utils.threads import one_torch_thread_in_children

one_torch_thread_in_children()


def choose_device(name: str) -> str:
    """Return the first GPU or the CPU for "auto"; check other names."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name).cpu()  # which "meta" cannot
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={name!r} but torch {torch.__version__} finds no such device; use "
            "device='auto' or 'cpu'."
        ) from error
    return str(torch.device(name))


def forward(
    module: nn.Module,
    windows: np.ndarray,
    device: str,
    precision: str,
    layer: str | None,
) -> Any:
    """Return the output of a module in evaluation mode, or of its submodule `layer`."""
    seen: list[torch.Tensor] = []
    caller = threading.get_ident()

    def keep(_: Any, __: Any, out: torch.Tensor) -> None:
        if threading.get_ident() == caller:  # threads share the module
            seen.append(out)

    half = precision == "bfloat16" or (
        precision == "auto"
        and device.startswith("cuda")
        and torch.cuda.is_bf16_supported()
    )
    hook = None if layer is None else module.get_submodule(layer)
    handle = None if hook is None else hook.register_forward_hook(keep)
    try:
        with (
            torch.inference_mode(),
            torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half),
        ):
            out = module(torch.as_tensor(windows, dtype=torch.float32, device=device))
    finally:
        if handle is not None:
            handle.remove()
    if seen:
        out = seen[-1]
    if isinstance(out, dict):
        return {name: _vectors(value) for name, value in out.items()}
    return _vectors(out)


def _vectors(out: torch.Tensor) -> np.ndarray:
    return out.flatten(1).float().cpu().numpy()
