"""Graphs drawn at random are built, and then they run; or they are refused in words about their nodes."""

from __future__ import annotations

import random
import re
import types
import typing
from collections import Counter

import pytest
from _graphs import CLASSES, LABELS, NUMBER, YES, assert_stack_is_each_alone, built, rows, spec

from dlrun import registry
from dlrun.contracts import InputSpec, Masked
from dlrun.errors import ConfigError
from dlrun.graphs.network import Network
from dlrun.layers import _making
from dlrun.layers._spec import TensorSpec
from dlrun.stack import why_not

LAYERS = registry.names("layer")
ARGUMENTS = {name: registry.arguments(registry.load("layer", name)) for name in LAYERS}
MERGING = [name for name in LAYERS if _making.Recipe(name, {}, "").merges]
SHRINKING = ["flatten", "dense", "global_max_pooling1d", "global_average_pooling2d", "global_max_pooling3d"]
JUNK = ["three", -1, 0, None, [], [1, 2, 3, 4, 5], {"name": "dense"}, True, 0.5, "same", -7.5, "", "$units"]
SHAPES = [(), (1,), (3,), (6,), (4, 3), (6, 2), (4, 4, 2), (5, 3, 1), (3, 4, 3, 2)]


def value(kind, draw):
    """Something of that type, small."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return value(inside[0], draw) if inside[0] is not float else draw.choice([0.5, 0.25])
    if origin is typing.Literal:
        return draw.choice([one for one in inside if one != "exponential"])  # of itself it soon is too large
    if origin in (typing.Union, types.UnionType):
        return value(draw.choice(inside), draw)
    if origin in (list, tuple):
        return [value(inside[0], draw) for _ in range(draw.choice([1, 1, 2, 2, 3]))]
    if origin is dict:
        return layer(draw.choice(["dense", "lstm", "gru", "simple_rnn", "relu", "global_max_pooling1d"]), draw)
    plain = {int: [1, 1, 2, 3, -1, 4], float: [0.5, -1.5, 2.0], bool: [True, False], type(None): [None]}
    return draw.choice(plain.get(kind, ["same"]))


def layer(name, draw):
    """A layer with some of its arguments; some of them nonsense."""
    described = {"name": name}
    for argument, (kind, default) in ARGUMENTS[name].items():
        if default is ... or draw.random() < 0.25:
            described[argument] = draw.choice(JUNK) if draw.random() < 0.005 else value(kind, draw)
    return described


class Drawing:
    """A graph that mostly makes sense: what is added to it mostly fits what is there."""

    def __init__(self, seed):
        self.draw = draw = random.Random(seed)
        self.inputs = {f"in{i}": InputSpec(draw.choice(SHAPES[1:])) for i in range(draw.choice([1, 1, 1, 2, 3]))}
        if draw.random() < 0.15:
            self.inputs["in0"] = InputSpec((9,), "multi_hot")
        elif draw.random() < 0.1:
            self.inputs["in0"] = InputSpec((6,), "tokens", vocabulary=7)
        kinds = draw.sample([NUMBER, YES, LABELS, CLASSES], draw.choice([1, 1, 1, 2, 3]))
        self.targets = {f"t{i}": kind for i, kind in enumerate(kinds)}
        self.shapes = {name: TensorSpec.of(one) for name, one in self.inputs.items()}
        self.layers, self.blocks, self.read = {}, {}, set()
        if draw.random() < 0.4:
            self.block()
        for _ in range(draw.randint(1, 7)):
            self.add()
        self.end()
        if draw.random() < 0.3:
            self.spoil()

    def block(self):
        draw = self.draw
        two = draw.random() < 0.4
        inside = {"first": {"name": "dense", "units": "$units", "inputs": "a" if two else "x"}}
        if two:
            inside["second"] = (
                {"same_as": "first", "inputs": "b"}
                if draw.random() < 0.5
                else {"name": "dense", "units": "$units", "inputs": "b"}
            )
            inside["both"] = {"name": draw.choice(MERGING[:4]), "inputs": ["first", "second"]}
        for i in range(draw.randint(0, 2)):
            inside[f"more{i}"] = layer(
                draw.choice(["dropout", "dense", "relu", "batch_normalization", "activation"]), draw
            )
        several = draw.random() < 0.3
        self.blocks["twig"] = {
            "parameters": {"units": 3} if draw.random() < 0.7 else {"units": None},
            "inputs": ["a", "b"] if two else "x", "layers": inside,
            **({"outputs": ["first", list(inside)[-1]] if len(inside) > 1 else ["first"]} if several else {}),
        }  # fmt: skip
        if draw.random() < 0.2:
            self.blocks["bough"] = {"layers": [{"name": "twig", "units": 2}, "relu"]}

    def some(self):
        """A value that is there, rather one that nobody has read."""
        fresh = [name for name in self.shapes if name not in self.read]
        return self.draw.choice(fresh if fresh and self.draw.random() < 0.7 else list(self.shapes))

    def put(self, name, described, sources, shape):
        self.layers[name] = {
            **described,
            "inputs": sources[0] if len(sources) == 1 and self.draw.random() < 0.7 else sources,
        }
        self.read |= set(sources)
        for made, one in shape.items():
            self.shapes[made] = one

    def add(self):
        draw, name = self.draw, f"n{len(self.layers)}"
        kind = draw.random()
        if self.blocks and kind < 0.25:
            block = draw.choice(list(self.blocks))
            wanted = self.blocks[block].get("inputs", "x")
            sources = [self.some() for _ in ([wanted] if isinstance(wanted, str) else wanted)]
            described = {
                "name": block,
                **({"units": draw.choice([3, 4])} if block == "twig" and draw.random() < 0.8 else {}),
            }
            outputs = self.blocks[block].get("outputs", [])
            made = [f"{name}.{one}" for one in outputs] if len(outputs) > 1 else [name]
            return self.put(name, described, sources, dict.fromkeys(made))
        first = [one for one, what in self.layers.items() if "same_as" not in what]
        if first and kind < 0.4:
            other = draw.choice(first)
            sources = self.layers[other]["inputs"]
            wanted = [self.shapes.get(one) for one in ([sources] if isinstance(sources, str) else sources)]
            fits = [
                [n for n, shape in self.shapes.items() if shape == one or draw.random() < 0.1] or [self.some()]
                for one in wanted
            ]
            made = {
                name + key.removeprefix(other): shape
                for key, shape in self.shapes.items()
                if key.split(".")[0] == other
            }
            return self.put(name, {"same_as": other}, [draw.choice(f) for f in fits], made)
        for _ in range(12):
            merging = draw.random() < 0.3 and len(self.shapes) > 1
            sources = [self.some() for _ in range(draw.choice([2, 2, 3]) if merging else 1)]
            if merging and draw.random() < 0.8:
                sources = [one for one, shape in self.shapes.items() if shape == self.shapes[sources[0]]][:3]
            described = layer(
                draw.choice(MERGING if merging else LAYERS if draw.random() < 0.6 else ["dense", *SHRINKING]), draw
            )
            given = [self.shapes[one] for one in sources]
            if None in given or draw.random() < 0.03:
                break
            try:
                made = _making.make(given if merging else given[0], described, "here")
            except ConfigError:
                continue
            if made.output.size < 3000:
                if draw.random() < 0.1:
                    described["trainable"] = draw.random() < 0.3
                return self.put(name, described, sources, {name: made.output})
        return self.put(name, described, sources, {name: None})

    def end(self):
        """Everything that nobody read goes side by side to a layer for each target."""
        draw = self.draw
        loose = [one for one in self.shapes if one not in self.read]
        flat = []
        for one in loose if draw.random() < 0.97 else loose[1:]:
            shape = self.shapes[one]
            if shape is None or (shape.encoding == "values" and len(shape.shape) != 1):
                name = f"flat{len(flat)}"
                self.layers[name] = {"name": "flatten", "inputs": one}
                flat.append(name)
            elif shape.encoding != "values":
                name = f"flat{len(flat)}"
                self.layers[name] = {"name": "dense", "units": 2, "inputs": one}
                flat.append(name)
            else:
                flat.append(one)
        if len(flat) > 1:
            self.layers["all"] = {"name": "concatenate", "inputs": flat}
            flat = ["all"]
        for target, what in self.targets.items():
            named = draw.choice(
                [
                    {"name": "output", "target": target},
                    {"name": "dense", "units": what.units, "activation": draw.choice(["linear", "tanh"])},
                ]
            )
            self.layers[f"end_{target}"] = {**named, "inputs": flat}

    def spoil(self):
        """One mistake."""
        draw = self.draw
        name = draw.choice(list(self.layers))
        one = self.layers[name] = dict(self.layers[name])
        mistake = draw.randint(0, 9)
        if mistake == 0:
            one["inputs"] = draw.choice(
                [name, draw.choice(list(self.layers)), "nowhere", "n1.first", "", [], ["in0", 3]]
            )
        elif mistake == 1:
            one.pop(draw.choice(list(one)))
        elif mistake == 2:
            one[draw.choice(["unit", "rates", "axis", "same_as", "trainable", "inputs"])] = draw.choice(JUNK)
        elif mistake == 3:
            self.layers[draw.choice(["in0", "forward", "a b", "_x", "output"])] = self.layers.pop(name)
        elif mistake == 4:
            self.layers[name] = draw.choice([None, 3, "dense", [], ["dense"], "dens", {}])
        elif mistake == 5:
            self.layers["more"] = layer(draw.choice(LAYERS), draw)
        elif mistake == 6:
            self.targets["t9"] = NUMBER
        elif mistake == 7:
            self.blocks[draw.choice(["twig", "dense", "b"])] = draw.choice(
                [
                    None,
                    3,
                    {"layers": []},
                    {"layers": [{"name": "twig"}]},
                    {"layer": 3},
                    {"layers": ["dense"], "inputs": 3},
                ]
            )
        elif mistake == 8:
            one["name"] = draw.choice(["twig", "bough", "denze", 5, "conv2d", "add", "output", None])
        else:
            self.inputs["in9"] = InputSpec((2,))

    def written(self):
        ends = {target: f"end_{target}" for target in self.targets}
        used = {
            t: n
            for t, n in ends.items()
            if isinstance(self.layers.get(n), dict) and self.layers[n].get("name") != "output"
        }
        return {"layers": self.layers, "blocks": self.blocks or None, "outputs": used or None}


def assert_runs(model, data):
    seen, calls = {}, Counter()

    def hook(module, _, made):
        calls[module] += 1
        seen[module] = made.values if isinstance(made, Masked) else made

    for module in model.modules():
        if hasattr(module, "output") and not isinstance(module, Network):  # torch's own cells say nothing of sizes
            module.register_forward_hook(hook)
    outputs = model(rows(data, 4))
    for module, made in seen.items():
        if calls[module] == 1:
            assert made.shape[1:] == module.output.shape, module  # rows are steps in time_distributed
    for name, target in data.targets.items():
        shape = (4, target.classes) if target.problem in ("multiclass", "multilabel") else (4, *target.shape)
        for one in (outputs[name], outputs[f"{name}_logits"]):
            assert one.shape == shape
            assert one.isfinite().all()
    loss = sum(one.square().sum() for one in outputs.values())
    if loss.requires_grad:
        loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    for module in model.modules():
        module._forward_hooks.clear()


def assert_names_nodes(problems, names):
    """Each problem is about something that is there."""
    assert problems
    for problem in problems:
        assert problem.path.startswith("architecture."), problem
        said = {*re.findall(r"\w+", f"{problem.path} {problem.message}"), *re.findall(r"'(.*?)'", problem.message)}
        assert names & {*said, problem.path.removeprefix("architecture.layers.")}, problem


def check(seed):
    """Whether the graph of that seed was built, whether it was stacked; why not."""
    drawing = Drawing(seed)
    text, data = drawing.written(), spec(drawing.inputs, drawing.targets)
    try:
        model = built(text, data)
    except ConfigError as error:
        names = {*map(str, text["layers"]), *drawing.inputs, *drawing.targets, *drawing.blocks}
        assert_names_nodes(error.problems, names)
        return "refused", error.problems
    assert_runs(model.train(), data)
    assert_runs(model.eval(), data)
    reason = why_not(model, {})
    if reason is None:
        assert_stack_is_each_alone([built(text, data, seed).train() for seed in (1, 2)], data)
    return ("built" if reason is None else "not stacked"), reason


def checked(seeds):
    found = Counter()
    for seed in seeds:
        try:
            found[check(seed)[0]] += 1
        except Exception as error:
            raise AssertionError(f"graph {seed}") from error
    return found


def test_random_graphs():
    found = checked(range(300))
    assert found["built"] + found["not stacked"] >= 100
    assert found["refused"] >= 100


@pytest.mark.slow
def test_many_random_graphs():
    assert checked(range(1000, 4000))["built"] > 1000
