"""what a convnet sees: activations, filters, heatmaps, as PNG files

  dlrun explain run=R         method=activations|filters|gradcam image=FILE [key=value …]
  dlrun explain backbone=NAME method=activations|filters|gradcam image=FILE [key=value …]

activations  what the picture becomes: all channels of each layer in a mosaic, 16 a row (book 5.4.1)
filters      the pattern that each filter answers to most, by gradient ascent; needs no picture (5.4.2)
gradcam      where the net finds a class: heatmap, the same over the picture, the likeliest classes (5.4.3)

run: a run of yours, as for `predict`: a path, a signature, task/signature, or a task. weights=last|best,
  split=r0f1. image is what `predict` reads as input: a picture file, or, of several inputs, a JSON object.
backbone: vgg16, vgg19, mobilenet_v2, squeezenet1_1, resnet50, inception_v3. weights=imagenet, none (random),
  or a file. preprocessing=auto, or caffe, torch, tf, none: the pixels that a file of yours was learned with;
  raw: 0 to 255 as they are, what the book's filters are made from.

layer=NAME       of `dlrun show nested=true`, or the end of the name; several with commas, but for gradcam.
                 If nothing is said: activations, every convolution, pooling and block; filters, the first
                 convolution on each size of maps; gradcam, the last convolution, after its activation
channels=4,7     of activations and filters: these, each in a file of its own; 0-15 for a range
class=NAME       of gradcam: name or index; the likeliest if nothing is said. top=5: classes in the table
score=logit      of gradcam: the logit's gradient (the paper's) in place of the probability's (the book's)
steps=40 step_size=1.0 size=64 seed=0   of filters: the ascent, in grey levels; pixels of a pattern; the noise
input=NAME target=NAME    where the net reads several pictures, has several targets
out=FOLDER       where the files go: the run's artifacts/explain, or ./explain/BACKBONE
device=auto runs_dir=runs

Examples
  dlrun explain run=mnist_convnet method=activations image=seven.png
  dlrun explain run=mnist_convnet method=activations image=seven.png layer=conv2d_1 channels=4,7
  dlrun explain run=mnist_convnet method=filters
  dlrun explain backbone=mobilenet_v2 method=gradcam image=elephant.jpg
  dlrun explain backbone=vgg16 method=filters layer=block3_conv1 channels=0
  dlrun explain backbone=vgg16 weights=vgg16-397923af.pth method=gradcam image=elephant.jpg
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun import console, registry
from dlrun.commands._words import split_plugins
from dlrun.errors import ConfigError, Problem, available, nearest

if TYPE_CHECKING:
    from dlrun.explaining._subject import Subject

OWN = {"run": "", "backbone": "", "method": "", "weights": "", "split": "", "preprocessing": "", "out": "",
       "device": "auto", "runs_dir": "runs"}  # fmt: skip
"""Keys of every method, with their defaults."""


def main(words: list[str]) -> int:
    """Explain, show what was written."""
    given = _given(split_plugins(words))
    method, types = _method(given)
    own = {**OWN, **{key: given.pop(key) for key in OWN if key in given}}
    problems = _wrong_subject(own)
    arguments = _arguments(own["method"], types, given, problems)
    if problems:
        raise ConfigError(problems)
    asked = method(**arguments)
    subject = _subject(own, asked.classes)
    report = asked.explain(subject, Path(own["out"]).expanduser() if own["out"] else subject.out)
    title = f"{subject.title} · {report.about}"
    whole = [*report.columns[:1], "file"]
    console.table(report.columns, report.rows, title, report.right, whole=whole, sample=subject.sample)
    for remark in report.remarks:
        console.say(remark)
    count = "1 picture" if len(report.files) == 1 else f"{len(report.files)} pictures"
    console.say(f"{count} written to {report.files[0].parent}/")
    return 0


def _given(words: list[str]) -> dict[str, str]:
    problems, given = [], {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            given[key] = value
        else:
            problems.append(Problem(word, f"expected key=value, received '{word}'", "dlrun explain --help"))
    if problems:
        raise ConfigError(problems)
    return given


def _method(given: dict[str, str]) -> tuple[Any, dict[str, tuple[Any, Any]]]:
    """The `build` of the method, and its parameters by key."""
    known = registry.names("method")
    name = given.get("method", "")
    if name not in known:
        message = f"no method is called '{name}'" if name else "missing: give method=…"
        raise ConfigError(Problem("method", message, f"{nearest(name, known)} {available(known)}".strip()))
    build = registry.load("method", name)
    return build, {key.rstrip("_"): found for key, found in registry.arguments(build).items()}


def _wrong_subject(own: dict[str, str]) -> list[Problem]:
    if bool(own["run"]) == bool(own["backbone"]):
        return [Problem("run", "expected one of run=… and backbone=…", "dlrun runs shows the runs")]
    problems = []
    for key in ("split", "preprocessing"):
        if own[key] and own["backbone" if key == "split" else "run"]:
            of = "run" if key == "split" else "backbone"
            problems.append(Problem(key, f"it is for {of}=…", "leave it out"))
    if own["run"] and own["weights"] not in ("", "last", "best"):
        problems.append(Problem("weights", f"expected last or best of a run, received '{own['weights']}'"))
    return problems


def _arguments(
    method: str, types: dict[str, tuple[Any, Any]], given: dict[str, str], problems: list[Problem]
) -> dict[str, Any]:
    """The values that are left as the method takes them. What is wrong is added to `problems`."""
    from dlrun.arguments import checked

    values: dict[str, Any] = {}
    for key, text in given.items():
        if key in types:
            values[key] = _value(types[key][0], text)
            continue
        hint = f"{nearest(key, [*OWN, *types])} {available([*OWN, *types], 20)}".strip()
        problems.append(Problem(key, f"no such key of method={method}", hint))
    plain = {key: found for key, found in types.items() if key != "class"}
    word = values.pop("class", "")
    fitting = checked("", plain, values, problems)
    return fitting | ({"class_": word} if "class" in types else {})


def _value(kind: Any, text: str) -> Any:
    """As a number where one is wanted; what is wrong with it is said by `checked`."""
    kind = getattr(kind, "__origin__", kind)
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        return text


def _subject(own: dict[str, str], classes: bool) -> Subject:
    if own["run"]:
        from dlrun.explaining._subject import of_run

        return of_run(own["run"], own["runs_dir"], own["weights"] or "last", own["split"], own["device"])
    from dlrun.explaining._backbone import of_backbone

    weights, mode = own["weights"] or "imagenet", own["preprocessing"] or "auto"
    return of_backbone(own["backbone"], weights, mode, classes, own["device"])
