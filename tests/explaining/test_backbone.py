"""`dlrun explain backbone=…`: weights in each layout, pictures of every kind, and the real ones where they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from _small_nets import size
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from dlrun import registry
from dlrun.cli import main
from dlrun.contracts import Rows
from dlrun.errors import ConfigError
from dlrun.explaining._backbone import CLASS, IMAGE, of_backbone
from dlrun.graphs.blocks import Library

SMALL = """
# A small net like VGG16, for tests.
imagenet:
  - {file: small-0123abcd.pth, url: null, bytes: 1, preprocessing: torch}
layers:
  block1_conv1: {name: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
  block1_pool: max_pooling2d
  block2_conv1: {name: conv2d, filters: 6, kernel_size: 3, padding: same, activation: relu}
  block2_pool: max_pooling2d
top:
  size: 20
  layers:
    flatten: flatten
    fc1: {name: dense, units: 8, activation: relu}
    fc2: {name: dense, units: 8, activation: relu}
    predictions: {name: dense, units: 1000, activation: softmax}
"""


class Theirs(nn.Module):
    """The same in torchvision's layout."""

    def __init__(self) -> None:
        super().__init__()
        conv = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]  # fmt: skip
        self.features = nn.Sequential(*conv)
        dense = [nn.Linear(6 * 25, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 8), nn.ReLU(), nn.Dropout()]
        self.classifier = nn.Sequential(*dense, nn.Linear(8, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, 3, 20, 20] to probabilities."""
        return self.classifier(self.features(x).flatten(1)).softmax(-1)


@pytest.fixture
def small(project, monkeypatch):
    """A folder with that block for `--plugins own`, and a picture."""
    monkeypatch.setattr(registry, "_plugin_dirs", [project / "own"])
    (project / "own" / "blocks").mkdir(parents=True)
    (project / "own" / "blocks" / "small.yaml").write_text(SMALL.strip())
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save("colours.png")
    names = json.dumps({str(i): [f"n{i:08}", f"kind_{i}"] for i in range(1000)}).encode()
    monkeypatch.setattr("dlrun.explaining._backbone.NAMES", _file(project, names))
    return project


def _file(project, content):
    from dlrun.datasets._files import File

    file = File("weights", "names.json", None, hashlib.sha256(content).hexdigest(), len(content))
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(content)
    return file


@pytest.fixture
def theirs():
    torch.manual_seed(0)
    net = Theirs().eval()
    for tensor in net.state_dict().values():
        nn.init.normal_(tensor, std=0.3)
    return net


def keras(net: Theirs, path: Path) -> None:
    """Its weights as Keras saves them: kernels [height, width, in, out] and [in, out], flattened channels last."""
    import h5py

    layers = {"block1_conv1": net.features[0], "block2_conv1": net.features[3], "fc1": net.classifier[0],
              "fc2": net.classifier[3], "predictions": net.classifier[6]}  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, layer in layers.items():
            kernel = layer.weight.detach()
            if name == "fc1":
                kernel = kernel.reshape(8, 6, 5, 5).permute(2, 3, 1, 0).flatten(0, 2)
            else:
                kernel = kernel.permute(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
            group = file.create_group(name)
            group[f"{name}_W_1:0"] = np.ascontiguousarray(kernel.numpy())
            group[f"{name}_b_1:0"] = layer.bias.detach().numpy()


@pytest.mark.parametrize("layout", ["pth", "safetensors", "h5"])
def test_a_whole_net_reads_torchvisions_and_kerass_layout(layout, small, theirs):
    file = small / f"weights.{layout}"
    if layout == "h5":
        keras(theirs, file)
    elif layout == "pth":
        torch.save(theirs.state_dict(), file)
    else:
        save_file(theirs.state_dict(), file)
    net = of_backbone("small", str(file), "none", True, "cpu")
    pixels = torch.randint(256, (3, 20, 20, 3), dtype=torch.uint8)
    ours = net.model(net.inputs(Rows({IMAGE: pixels}, {})))
    expected = theirs((pixels / 255).permute(0, 3, 1, 2))
    torch.testing.assert_close(ours[CLASS], expected)
    torch.testing.assert_close(ours[f"{CLASS}_logits"].softmax(-1), expected)


def test_the_command_from_a_file_of_weights_to_pictures(small, theirs, capsys):
    torch.save(theirs.state_dict(), "small-0123abcd.pth")  # called like the known one: so is what it was learned on
    words = ["explain", "backbone=small", "weights=small-0123abcd.pth", "image=colours.png"]
    assert main([*words, "method=gradcam", "class=kind_7"]) == 0
    shown = capsys.readouterr().out
    assert "small · small-0123abcd.pth · colours.png" in shown
    assert "heatmap of kind_7 (class 7) in block2_conv1, 6 maps of 10 x 10" in shown
    place = small / "explain" / "small" / "gradcam" / "colours"
    assert size(place / "kind_7_overlay.png") == (40, 30)  # the picture's own size
    assert main([*words, "method=activations", "out=elsewhere"]) == 0
    assert size(Path("elsewhere/activations/colours/block1_conv1.png")) == (20 * 16, 20)
    assert main([*words[:3], "method=filters", "steps=1"]) == 0
    assert size(small / "explain" / "small" / "filters" / "block1_conv1.png") == (547, 547)


def test_a_file_of_the_whole_net_serves_for_its_convolutions(small, theirs, capsys):
    """As Keras has two files, of which the smaller has no dense layers."""
    block = Path("own/blocks/small.yaml")
    whole = "imagenet: [{file: whole-89abcdef.pth, url: null, bytes: 1, preprocessing: caffe}]"
    block.write_text(block.read_text().replace("  size: 20\n", f"  size: 20\n  {whole}\n"))
    torch.save(theirs.state_dict(), "whole-89abcdef.pth")
    for method in ("gradcam", "activations"):
        words = ["explain", "backbone=small", "weights=whole-89abcdef.pth", "image=colours.png", f"method={method}"]
        assert main(words) == 0
    net = of_backbone("small", "whole-89abcdef.pth", "auto", False, "cpu")
    assert net.network.block1_conv1.kernel.equal(theirs.features[0].weight)


def test_probabilities_are_sorted_and_named(small, capsys):
    assert main(["explain", "backbone=small", "weights=none", "method=gradcam", "image=colours.png", "top=3"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("kind_")]
    assert len(rows) == 3
    assert all(row[0] == f"kind_{row[1]}" for row in rows)
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)


def test_without_the_names_classes_have_their_index(small, capsys):
    (small / "cache" / "weights" / "names.json").unlink()
    assert main(["explain", "backbone=small", "weights=none", "method=gradcam", "image=colours.png", "class=7"]) == 0
    said = capsys.readouterr()
    assert "heatmap of 7 (class 7)" in said.out
    assert "the names of the classes are not known" in said.err


def test_raw_pixels_are_those_of_the_file(small):
    seen = {}
    for mode in ("raw", "none", "caffe"):
        net = of_backbone("small", "none", mode, False, "cpu")
        net.network.register_forward_pre_hook(lambda module, given, mode=mode: seen.update({mode: given[0]}))
        net.model(net.inputs(net.encode("colours.png")))
    read = torch.from_numpy(np.asarray(Image.open("colours.png").resize((20, 20), Image.Resampling.NEAREST)).copy())[
        None
    ]
    torch.testing.assert_close(seen["raw"], read.float(), rtol=0, atol=1e-3)
    torch.testing.assert_close(seen["none"], read / 255)
    means = torch.tensor([103.939, 116.779, 123.68])
    torch.testing.assert_close(seen["caffe"], read.flip(-1) - means, rtol=0, atol=1e-3)


def saved(kind: str) -> str:
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (30, 40), dtype=np.uint8)
    if kind == "16 bits":
        Image.fromarray(grey.astype(np.uint16) * 257).save("picture.png")
    elif kind == "CMYK":
        Image.fromarray(np.dstack([grey] * 4), "CMYK").save("picture.jpg")
        return "picture.jpg"
    elif kind == "transparent":
        Image.fromarray(np.dstack([grey] * 4), "RGBA").save("picture.png")
    elif kind == "palette":
        Image.fromarray(np.dstack([grey] * 3)).quantize(7).save("picture.png")
    else:
        Image.fromarray(grey).save("picture.png")
    return "picture.png"


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("kind", ["grey", "16 bits", "CMYK", "transparent", "palette"])
def test_pictures_of_every_kind_are_read(kind, small):
    name = saved(kind)
    assert main(["explain", "-q", "backbone=small", "weights=none", "method=gradcam", f"image={name}", "class=1"]) == 0
    assert size(small / "explain" / "small" / "gradcam" / "picture" / "kind_1_overlay.png") == (40, 30)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_broken_picture_is_named(content, small, capsys):
    whole = Path("colours.png").read_bytes()
    Path("broken.png").write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert main(["explain", "backbone=small", "weights=none", "method=gradcam", "image=broken.png"]) == 3
    assert "expected the path of a picture file, received 'broken.png'" in capsys.readouterr().err
    assert not Path("explain").exists()


def refused(name="small", weights="none", preprocessing="auto", classes=True):
    with pytest.raises(ConfigError) as caught:
        of_backbone(name, weights, preprocessing, classes, "cpu")
    (problem,) = caught.value.problems
    return f"{problem.path}: {problem.message} | {problem.hint}"


def test_wrong_words_are_told(small, theirs):
    assert "backbone: no backbone is called 'smal' | Did you mean 'small'?" in refused("smal")
    assert "block 'fire' knows no weights of ImageNet | available: inception_v3" in refused("fire")
    assert "preprocessing: no mode 'cafe' | Did you mean 'caffe'?" in refused(preprocessing="cafe")
    assert "weights: no such file: lost.pth" in refused(weights="lost.pth")
    torch.save(theirs.state_dict(), "mine.pth")
    assert "'auto' is impossible: what pixels mine.pth was learned on is not known" in refused(weights="mine.pth")
    torch.save(theirs.features.state_dict(), "part.pth")
    part = refused(weights="part.pth", preprocessing="tf")
    assert part.startswith("weights: ")
    assert "part.pth has not the weights of this graph: missing fc1.kernel" in part
    assert part.endswith("| classes need a file of the whole net, with its last layers")
    Path("own/blocks/small.yaml").write_text(SMALL.strip().partition("top:")[0])
    assert "the classes of 'small' are not known | available: inception_v3" in refused()


@pytest.mark.parametrize(
    ("top", "message"),
    [("{layers: [flatten]}", "top: expected size and layers"), ("[flatten]", "top: expected size and layers"),
     ("{size: 20, layers: [flatten], weight: 1}", "top: expected size and layers"),
     ("{size: 20, layers: [flatten], imagenet: [{file: a.pth}]}", "top.imagenet.0: expected file")],
)  # fmt: skip
def test_a_top_that_is_not_written_as_one_is_refused(top, message, small):
    Path("own/blocks/small.yaml").write_text(f"{SMALL.strip().partition('top:')[0]}top: {top}")
    assert message in refused()


def test_tops_name_their_files():
    for name in ("vgg16", "vgg19", "mobilenet_v2", "squeezenet1_1", "resnet50", "inception_v3"):
        block = Library({}, "").get(name)
        assert block.top is not None
        assert {one.file.name for one in block.top.imagenet if one.file.name.endswith(".pth")} == {
            one.file.name for one in block.imagenet if one.file.name.endswith(".pth")
        }
        assert not any("notop" in one.file.name for one in block.top.imagenet)


WHOLE = [("mobilenet_v2", 3_504_872), ("squeezenet1_1", 1_235_496), ("resnet50", 25_557_032),
         ("inception_v3", 23_834_568), ("vgg16", 138_357_544)]  # fmt: skip
"""torchvision's numbers of parameters, Inception's less 3,326,696 of its auxiliary classifier."""
SLOW = ("resnet50", "inception_v3", "vgg16")


@pytest.mark.parametrize(
    ("name", "parameters"), [pytest.param(*one, marks=[pytest.mark.slow] if one[0] in SLOW else []) for one in WHOLE]
)
def test_whole_nets_are_torchvisions(name, parameters, tmp_path, monkeypatch):
    """Probabilities from a file in torchvision's layout, with weights drawn here."""
    from torchvision import models

    monkeypatch.setattr("dlrun.explaining._backbone.names", lambda: ())
    torch.manual_seed(0)
    said = {"init_weights": False, "transform_input": False} if name == "inception_v3" else {}
    said |= {"init_weights": False} if name == "vgg16" else {}
    other = getattr(models, name)(weights=None, **said).eval()
    for key, tensor in other.state_dict().items():
        if "running_var" in key:
            tensor.uniform_(0.5, 1.5)
        elif tensor.ndim > 1:
            nn.init.kaiming_normal_(tensor)
    torch.save(other.state_dict(), tmp_path / "their.pth")
    net = of_backbone(name, str(tmp_path / "their.pth"), "none", True, "cpu")
    assert sum(p.numel() for p in net.model.parameters()) == parameters
    side = net.spec.inputs[IMAGE].shape[0]
    pixels = torch.randint(256, (1, side, side, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = other((pixels / 255).permute(0, 3, 1, 2))
    ours = net.model(net.inputs(Rows({IMAGE: pixels}, {})))
    largest = float(expected.abs().max())
    assert largest > 0.1
    torch.testing.assert_close(ours[f"{CLASS}_logits"], expected, rtol=0, atol=1e-4 * largest)
    torch.testing.assert_close(ours[CLASS], ours[f"{CLASS}_logits"].softmax(-1))


# With the real weights, where the mirror is


@pytest.fixture
def real(mirror, project, monkeypatch):
    monkeypatch.setenv("DLRUN_MIRROR", str(mirror))
    return mirror


def test_mobilenet_finds_the_elephant(real, capsys):
    """The African elephant first, as in the book, and it is where the elephants are: right of the calf's trunk, below
    the sky."""
    image = real / "images" / "creative_commons_elephant.jpg"
    assert main(["explain", "backbone=mobilenet_v2", "method=gradcam", f"image={image}"]) == 0
    first = next(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("African_elephant"))
    assert first[1] == "386"
    assert float(first[2]) > 0.6
    place = Path("explain/mobilenet_v2/gradcam/creative_commons_elephant")
    assert size(place / "African_elephant_overlay.png") == (525, 351)
    overlay, picture = (
        np.asarray(Image.open(f)).astype(float) for f in (place / "African_elephant_overlay.png", image)
    )
    red = (overlay - picture)[..., 0] - (overlay - picture)[..., 2]  # JET: red is hot, blue is cold
    assert red[60:230, 290:525].mean() > red[:, :90].mean() + 50


def test_squeezenets_filters_answer(real, capsys):
    assert (
        main(["explain", "backbone=squeezenet1_1", "method=filters", "layer=3.squeeze", "steps=10", "channels=0-3"])
        == 0
    )
    assert "4 of 4" in capsys.readouterr().out
