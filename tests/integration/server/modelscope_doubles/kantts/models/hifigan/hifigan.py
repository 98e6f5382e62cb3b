"""A tiny vocoder with the interface of HiFi-GAN: a sine of each frame's pitch, 80 samples a frame."""

from typing import Any

import torch

SAMPLES = 80
RATE = 16_000


class Generator(torch.nn.Module):  # type: ignore[misc] # torch is not in this environment
    nsf_enable = False

    def __init__(self, **parameters: Any) -> None:
        super().__init__()
        del parameters
        self.volume = torch.nn.Parameter(torch.ones(1))

    def forward(self, mel: Any) -> Any:
        hertz = (100 + mel[0, 0]).repeat_interleave(SAMPLES)
        return self.volume * torch.sin(torch.cumsum(2 * torch.pi * hertz / RATE, 0))

    def remove_weight_norm(self) -> None:
        pass
