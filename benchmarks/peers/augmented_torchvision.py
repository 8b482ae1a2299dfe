"""torchvision's transforms, a picture at a time, in a DataLoader: `python augmented_torchvision.py WORKERS`.

RandomAffine has one scale for both axes and fills with a colour: less than what it is compared with does.
"""

from __future__ import annotations

import sys

import torch
from _turns import repeated, take_turns
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2


class Pictures(Dataset[torch.Tensor]):
    """Decoded pictures, uint8 [N, 3, H, W], each augmented when it is asked for."""

    def __init__(self, pictures: torch.Tensor):
        self.pictures = pictures
        self.transform = v2.Compose([
            v2.RandomAffine(40, (0.2, 0.2), (0.8, 1.2), 11.5, interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> torch.Tensor:
        found: torch.Tensor = self.transform(self.pictures[i])
        return found


def main(workers: int) -> None:
    """An epoch whenever told."""
    pictures = Pictures(torch.randint(256, (2000, 3, 150, 150), dtype=torch.uint8))
    loader = DataLoader(pictures, batch_size=20, shuffle=True, num_workers=workers, persistent_workers=workers > 0)

    def epoch() -> dict[str, float]:
        return {"mean": sum(float(batch[0, 0, 75, 75]) for batch in loader) / len(loader)}

    take_turns(repeated(epoch))


if __name__ == "__main__":
    main(int(sys.argv[1]))
