"""A net of a user's own that reads two inputs of tokens."""

from __future__ import annotations

TOKENS = {
    "architectures/bags.py": '''
        """The mean vector of each input's words, side by side, then a dense layer."""
        from __future__ import annotations

        import torch
        from torch import nn

        from dlrun.contracts import DataSpec
        from dlrun.types import Count


        class Net(nn.Module):
            output_activations = {"answer": "softmax"}

            def __init__(self, spec, units):
                super().__init__()
                self.names = list(spec.inputs)
                sizes = [given.vocabulary for given in spec.inputs.values()]
                self.embeddings = nn.ModuleList(nn.Embedding(size, units) for size in sizes)
                self.last = nn.Linear(len(sizes) * units, spec.targets["answer"].units)

            def forward(self, inputs):
                for name in self.names:
                    assert inputs[name].dtype == torch.int64
                read = [e(inputs[n]).mean(-2) for n, e in zip(self.names, self.embeddings, strict=True)]
                logits = self.last(torch.cat(read, -1))
                return {"answer": logits.softmax(-1), "answer_logits": logits}


        def build(spec: DataSpec, *, units: list[Count]) -> Net:
            return Net(spec, units[0])
    ''',
    "configs/architecture/bags.yaml": "# A net.\nname: bags\nunits: [4]\n",
}
BAGS = ["--plugins", "own", "architecture=bags", "dataset=question_answering", "dataset.n=150", "dataset.length=8",
        "dataset.vocabulary=60", "dataset.answers=25", "metrics=[accuracy]", "trainer.batch_size=32",
        "optimizer.lr=0.05"]  # fmt: skip
