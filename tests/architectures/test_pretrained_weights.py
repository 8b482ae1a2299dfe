"""`weights` of a block: which file is meant, where it is looked for, and what is said where it can't be had."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch
from _backbones import model, theirs
from safetensors.torch import save_file

from dlrun import registry
from dlrun.architectures import graph
from dlrun.contracts import DataSpec, InputSpec, TargetSpec
from dlrun.errors import ConfigError, DataError
from dlrun.graphs.blocks import Library
from dlrun.graphs.pretrained import choose

SPEC = DataSpec({"x": InputSpec((3,))}, {"y": TargetSpec("binary", 2)})


@pytest.fixture
def pinned(tmp_path, monkeypatch):
    """A folder with blocks of a user's own, `tiny`, with two files of weights; the second is in a mirror."""
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("DLRUN_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setattr(registry, "_plugin_dirs", [tmp_path / "own"])
    (tmp_path / "mirror" / "weights").mkdir(parents=True)
    (tmp_path / "own" / "blocks").mkdir(parents=True)
    file = tmp_path / "mirror" / "weights" / "second.safetensors"
    save_file({"features.kernel.kernel": torch.full((3, 2), 0.5)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "own" / "blocks" / "tiny.yaml").write_text(
        "# Two numbers of three, for tests.\n"
        "imagenet:\n"
        "  - {file: first-0123abcd.pth, url: null, bytes: 99, preprocessing: torch}\n"
        f"  - {{file: second.safetensors, url: null, sha256: {digest[:12]}, preprocessing: caffe}}\n"
        "layers:\n  kernel: {name: dense, units: 2, use_bias: false}\n"
    )
    return tmp_path


def built(**said):
    return graph.build(said.pop("spec", SPEC), layers={"base": {"name": "tiny", **said}, "y": "output"})


def files():
    return Library({}, "").get("tiny").imagenet


@pytest.mark.parametrize("weights", ["imagenet", "second.safetensors"])
def test_the_first_that_can_be_had_is_taken_by_its_checksum(weights, pinned):
    base = built(weights=weights).base
    assert torch.equal(base.kernel.kernel, torch.full((3, 2), 0.5))
    assert choose(weights, files(), "w").preprocessing == "caffe"
    there = pinned / "cache" / "weights" / "second.safetensors"
    assert base.fingerprint == hashlib.sha256(there.read_bytes()).hexdigest()
    (pinned / "mirror" / "weights" / "second.safetensors").write_bytes(b"another")  # the cache is enough now
    assert built(weights=weights).base.fingerprint == base.fingerprint
    there.unlink()
    with pytest.raises(DataError) as caught:
        built(weights=weights)
    assert "expected sha256" in str(caught.value)


def test_what_can_not_be_had_is_told_with_every_place(pinned):
    with pytest.raises(DataError) as caught:
        built(weights="first-0123abcd.pth")
    text = str(caught.value)
    assert f"cache {pinned / 'cache/weights/first-0123abcd.pth'}: no such file" in text
    assert f"mirror {pinned / 'mirror/weights/first-0123abcd.pth'}: no such file" in text
    assert "set DLRUN_MIRROR to a folder or base address that holds weights/first-0123abcd.pth" in text
    assert "weights=none" in text
    assert "dataset.source=sample" not in text


def test_official_addresses_are_torchvisions_and_kerass():
    vgg = Library({}, "").get("vgg16").imagenet
    from torchvision.models import VGG16_Weights

    keras, hub = (one.file for one in vgg)
    assert hub.url == VGG16_Weights.IMAGENET1K_V1.url
    assert hub.accepted == ("397923af",)
    assert keras.url.endswith("keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")
    assert [one.preprocessing for one in vgg] == ["caffe", "torch"]


@pytest.mark.parametrize("name", ["vgg19", "squeezenet1_1", "mobilenet_v2", "resnet50", "inception_v3"])
def test_torchvisions_files_are_its_own(name):
    """By its table: address, size to a thousandth of a MiB, and what its names carry of the SHA-256."""
    from torchvision.models import get_model_weights

    known = {one.url: one.meta["_file_size"] for one in get_model_weights(name)}
    (file,) = [one.file for one in Library({}, "").get(name).imagenet if one.file.url in known]
    assert file.bytes / 2**20 == pytest.approx(known[file.url], abs=6e-4)
    assert f"-{file.sha256}." in file.name


def test_keras_files_are_left_out_where_they_can_not_be_read(monkeypatch):
    from dlrun.graphs import pretrained

    asked = []
    monkeypatch.setattr(pretrained, "readable_h5", lambda: False)
    monkeypatch.setattr(pretrained, "fetch", lambda *files, otherwise: asked.append(files) or files[0].path)
    vgg = Library({}, "").get("vgg16").imagenet
    assert choose("imagenet", vgg, "w").preprocessing == "torch"
    assert [file.name for file in asked[0]] == ["vgg16-397923af.pth"]
    with pytest.raises(ConfigError, match="can't be read") as caught:
        choose(vgg[0].file.name, vgg, "w")
    assert "pip install h5py" in caught.value.problems[0].hint


def test_sample_data_need_no_files(pinned):
    sample = replace(SPEC, sample=True)
    base = built(spec=sample, weights="imagenet").base
    assert getattr(base, "fingerprint", None) is None
    assert not torch.equal(base.kernel.kernel, torch.full((3, 2), 0.5))
    own = str(pinned / "mirror" / "weights" / "second.safetensors")
    assert built(spec=sample, weights=own).base.fingerprint  # a file of the user's own is meant


def test_none_draws_weights(pinned):
    assert getattr(built(weights="none").base, "fingerprint", None) is None
    assert choose("none", files(), "w").preprocessing == "torch"


def refused(**said):
    with pytest.raises(ConfigError) as caught:
        built(**said)
    (problem,) = caught.value.problems
    return f"{problem.path}: {problem.message} | {problem.hint}"


def test_wrong_words_are_told(pinned):
    assert "architecture.layers.base.weights: no such file" in refused(weights="imagnet")
    assert "Did you mean 'imagenet'?" in refused(weights="imagnet")
    assert "the block has no layer 'kernell' | Did you mean 'kernel'?" in refused(trainable_from="kernell")
    assert "base.trainable: false, and trainable_from" in refused(trainable=False, trainable_from="kernel")
    assert "base.weights: expected a file of weights, or imagenet, received 3" in refused(weights=3)
    assert "only a block has it, and 'dense' is none" in refused(name="dense", units=2, weights="imagenet")
    assert "this block knows no weights of ImageNet" in refused(name="wide_and_deep", units=2, weights="imagenet")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{file: a.pth, preprocessing: torch}", "imagenet.0.sha256: missing"),
        ("{file: a-0123abcd.pth}", "expected file and preprocessing"),
        ("{file: a-0123abcd.pth, preprocessing: pytorch}", "no mode 'pytorch'"),
    ],
)
def test_a_block_with_wrong_files_is_refused(written, message, pinned):
    (pinned / "own" / "blocks" / "tiny.yaml").write_text(f"# Wrong.\nimagenet: [{written}]\nlayers: [flatten]\n")
    assert message in refused(weights="imagenet")


def test_real_weights_are_found(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path))
    first = model("squeezenet1_1", weights="imagenet").base
    state = torch.load(_copy(first, tmp_path), weights_only=True)
    assert torch.equal(model("squeezenet1_1", weights=str(tmp_path / "copy.pth")).base.get_parameter("0.kernel"),
                       state["0.kernel"])  # fmt: skip
    assert choose("imagenet", Library({}, "").get("squeezenet1_1").imagenet, "w").preprocessing == "caffe"
    assert theirs("squeezenet1_1")["features"][0].weight.shape == state["0.kernel"].shape


def _copy(base, tmp_path):
    torch.save(base.state_dict(), tmp_path / "copy.pth")
    return tmp_path / "copy.pth"
