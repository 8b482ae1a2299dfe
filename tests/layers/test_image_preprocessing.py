"""Named preprocessing against the formulas of Keras's `imagenet_utils` and of torchvision's transforms."""

from __future__ import annotations

import pytest
import torch

from dlrun.errors import ConfigError
from dlrun.layers import image_preprocessing
from dlrun.layers._spec import TensorSpec

SPEC = TensorSpec((4, 5, 3))
PIXELS = torch.arange(256).repeat(2)[: 2 * 4 * 5 * 3].view(2, 4, 5, 3).double()


def expected(mode: str) -> torch.Tensor:
    if mode == "caffe":
        return PIXELS.flip(-1) - torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64)
    if mode == "torch":
        from torchvision.transforms import Normalize

        usual = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        return usual(PIXELS.permute(0, 3, 1, 2) / 255).permute(0, 2, 3, 1)
    return PIXELS / 127.5 - 1 if mode == "tf" else PIXELS / 255


@pytest.mark.parametrize("white", [1.0, 255.0])
@pytest.mark.parametrize("mode", image_preprocessing.MODES)
def test_modes_are_those_of_the_libraries(mode, white):
    layer = image_preprocessing.build(SPEC, mode=mode, white=white)
    torch.testing.assert_close(layer(PIXELS / 255 * white), expected(mode), rtol=1e-10, atol=1e-10)
    assert not layer.state_dict()  # nothing of it is counted or saved


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (4, 5, 1)])
def test_other_inputs_than_pictures_in_colour_are_refused(shape):
    with pytest.raises(ConfigError, match="image_preprocessing expects"):
        image_preprocessing.build(TensorSpec(shape), mode="tf")
