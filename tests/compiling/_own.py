"""A user's own parts for nets that dlrun has none of: pictures, sequences, and what learns from them."""

from __future__ import annotations

PARTS = {
    "datasets/pictures.py": '''
        """Noise with a bright row in it; which third of the picture is it in?"""
        from __future__ import annotations

        from dataclasses import dataclass

        import torch

        from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
        from dlrun.types import Count


        @dataclass
        class Pictures:
            n: int
            spec = DataSpec({"picture": InputSpec((1, 6, 6))}, {"third": TargetSpec("multiclass", classes=3)})

            def resolve_source(self):
                return "sample"

            def load(self):
                return Data(self.spec, self._rows(1), self._rows(2), source="sample")

            def encode(self, raw):
                raise NotImplementedError

            def describe(self, data, part, row):
                return str(row)

            def _rows(self, seed):
                generator = torch.Generator().manual_seed(seed)
                x = torch.randn(self.n, 1, 6, 6, generator=generator)
                bright = torch.randint(6, (self.n,), generator=generator)
                x[torch.arange(self.n), 0, bright] += 1.5
                return Rows({"picture": x}, {"third": bright // 2})


        def build(*, n: Count = 200, source: str = "sample") -> Pictures:
            return Pictures(n)
    ''',
    "datasets/sequences.py": '''
        """Rows of small whole numbers: how many of them are odd?"""
        from __future__ import annotations

        from dataclasses import dataclass

        import torch

        from dlrun.contracts import Data, DataSpec, InputSpec, Rows, TargetSpec
        from dlrun.types import Count


        @dataclass
        class Sequences:
            n: int
            spec = DataSpec({"numbers": InputSpec((5,))}, {"odd": TargetSpec("regression")})

            def resolve_source(self):
                return "sample"

            def load(self):
                return Data(self.spec, self._rows(1), self._rows(2), source="sample")

            def encode(self, raw):
                raise NotImplementedError

            def describe(self, data, part, row):
                return str(row)

            def _rows(self, seed):
                x = torch.randint(8, (self.n, 5), generator=torch.Generator().manual_seed(seed))
                return Rows({"numbers": x.float()}, {"odd": (x % 2).sum(1).float()})


        def build(*, n: Count = 200, source: str = "sample") -> Sequences:
            return Sequences(n)
    ''',
    "configs/dataset/pictures.yaml": "# Pictures.\nname: pictures\nn: 200\nsource: sample\n",
    "configs/dataset/sequences.yaml": "# Sequences.\nname: sequences\nn: 200\nsource: sample\n",
}

PICTURES = '''
    """A net for pictures."""
    from __future__ import annotations

    import torch
    from torch import nn

    from dlrun.contracts import DataSpec
    from dlrun.layers import dropout
    from dlrun.layers._spec import TensorSpec
    from dlrun.types import Count


    class Net(nn.Module):
        output_activations = {"third": "softmax"}

        def __init__(self, units):
            super().__init__()
            LAYERS

        def forward(self, inputs):
            logits = self.layers(inputs["picture"])
            return {"third": logits.softmax(-1), "third_logits": logits}


    def build(spec: DataSpec, *, units: list[Count]) -> Net:
        return Net(units[0])
'''
SEQUENCES = '''
    """A net for sequences."""
    from __future__ import annotations

    import torch
    from torch import nn

    from dlrun.contracts import DataSpec
    from dlrun.types import Count


    class Net(nn.Module):
        output_activations = {"odd": "linear"}

        def __init__(self, units):
            super().__init__()
            LAYERS

        def forward(self, inputs):
            x = inputs["numbers"]
            FORWARD
            return {"odd": x, "odd_logits": x}


    def build(spec: DataSpec, *, units: list[Count]) -> Net:
        return Net(units[0])
'''
NETS: dict[str, tuple[str, str, str]] = {
    # A convolution, normalised over the batch, with our dropout.
    "convolutional": (PICTURES, """
        self.layers = nn.Sequential(
            nn.Conv2d(1, units, 3, padding=1, bias=False), nn.BatchNorm2d(units), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            dropout.build(TensorSpec((units * 9,)), rate=0.3), nn.Linear(units * 9, 3),
        )
    """, ""),
    "unnormalised": (PICTURES, """
        self.layers = nn.Sequential(nn.Conv2d(1, units, 3), nn.Tanh(), nn.Flatten(), nn.Linear(units * 16, 3))
    """, ""),
    # What torch draws is not what dlrun can draw again.
    "torch_dropout": (PICTURES, """
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, units), nn.Dropout(0.3), nn.Linear(units, 3))
    """, ""),
    "partly_frozen": (PICTURES, """
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, units), nn.Tanh(), nn.Linear(units, 3))
        self.layers[1].requires_grad_(False)
    """, ""),
    "partly_unused": (PICTURES, """
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
        self.unused = nn.Linear(units, units)
    """, ""),
    # Its running means are those over the rows of a batch.
    "instance_normalised": (
        PICTURES,
        """
        self.layers = nn.Sequential(
            nn.Conv2d(1, units, 3), nn.InstanceNorm2d(units, track_running_stats=True), nn.Flatten(),
            nn.Linear(units * 16, 3),
        )
    """,
        "",
    ),
    "tied": (PICTURES, """
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.Tanh(), nn.Linear(36, 36), nn.Linear(36, 3))
        self.layers[3].weight = self.layers[1].weight
    """, ""),
    "embedding": (SEQUENCES, """
        self.embedding = nn.Embedding(8, units)
        self.last = nn.Linear(5 * units, 1)
    """, """
        x = self.last(torch.tanh(self.embedding(x.long()).flatten(1))).squeeze(-1)
    """),
    "recurrent": (SEQUENCES, """
        self.units = units
        self.entering = nn.Parameter(torch.randn(1, units) / 8)
        self.staying = nn.Parameter(torch.randn(units, units) / units)
        self.bias = nn.Parameter(torch.zeros(units))
        self.last = nn.Linear(units, 1)
    """, """
        state = x.new_zeros(len(x), self.units)
        for t in range(x.shape[1]):
            state = torch.tanh(x[:, t, None] @ self.entering + state @ self.staying + self.bias)
        x = self.last(state).squeeze(-1)
    """),
    "lstm": (SEQUENCES, """
        self.lstm = nn.LSTM(1, units, batch_first=True)
        self.last = nn.Linear(units, 1)
    """, """
        x = self.last(self.lstm(x[..., None])[0][:, -1]).squeeze(-1)
    """),
    # A tensor that is neither parameter nor buffer, and another one in each model.
    "drawn": (
        SEQUENCES,
        """
        self.projection = torch.randn(5, units)
        self.last = nn.Linear(units, 1)
    """,
        """
        x = self.last(torch.tanh(x @ self.projection.to(x))).squeeze(-1)
    """,
    ),
    "weighted": (
        SEQUENCES,
        """
        self.last = nn.Linear(5, 1)
    """,
        """
        x = self.last(x * torch.tensor([1.0, 2.0, 0.0, 1.0, 0.5], dtype=x.dtype)).squeeze(-1)
    """,
    ),
    # A table that is made anew by the constructor and is not worth a place in files.
    "table": (SEQUENCES, """
        self.register_buffer("table", torch.arange(5.0), persistent=False)
        self.last = nn.Linear(5, 1)
    """, """
        x = self.last(torch.sin(x + self.table)).squeeze(-1)
    """),
}  # fmt: skip
"""Architectures by name: text, layers, what `forward` does."""

COMPILED = sorted(set(NETS) - {"torch_dropout", "lstm", "tied", "drawn"})
"""Those that make a graph, alone and in a stack."""
