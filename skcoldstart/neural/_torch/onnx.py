"""A trained network as an ONNX graph from the frames of an item to its factors."""

import io
import warnings
from typing import Any

import torch
from torch import nn

OPSET = 18


class _ItemNet(nn.Module):
    """The mean over consecutive windows, in the units of the targets."""

    def __init__(self, network: nn.Module, window: int, scale: Any, mean: Any) -> None:
        super().__init__()
        self.network, self.window = network, window
        self.register_buffer("scale", torch.as_tensor(scale).double())
        self.register_buffer("shift", torch.as_tensor(mean).double())

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (n_frames, n_features) to (1, n_outputs)."""
        # The length is computed in the graph instead of fixed by the trace.
        n_frames = torch._shape_as_tensor(frames)[0]
        n_filled = torch.clamp(n_frames, min=self.window)
        silence = torch.zeros(self.window, frames.shape[1])
        starts = torch.arange((n_filled + self.window - 1) // self.window) * self.window
        starts = torch.minimum(starts, n_filled - self.window)
        places = starts.unsqueeze(1) + torch.arange(self.window)
        windows = torch.cat([frames, silence])[places]
        outputs = self.network(windows).double().mean(0, keepdim=True)
        heard = (n_frames > 0).double()
        return (outputs * heard * self.scale + self.shift).float()


def network_as_onnx(net: Any, window: int, scale: Any, mean: Any) -> bytes:
    """Return an ONNX file with the input ``X`` and the output ``factors``.

    Shapes: `scale, mean` (n_outputs,).
    """
    module = _ItemNet(net.module_, window, scale, mean).to("cpu").eval()
    example = torch.zeros(2 * window + 1, len(net.module_.mean))
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        # TODO(torch 3): the exporter by tracing is deprecated; the other one needs
        # onnxscript, which is not a dependency.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            file,
            input_names=["X"],
            output_names=["factors"],
            dynamic_axes={"X": {0: "n_frames"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()
