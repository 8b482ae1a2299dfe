"""The few types that all parts share.

Parts (datasets, layers, architectures, losses, metrics, optimizers, evaluations, callbacks) import this package
and torch, never each other's folders above them and never the runner.
"""

from __future__ import annotations

from dlrun.contracts.data import (
    Bags,
    Batch,
    Column,
    Data,
    Dataset,
    DataSpec,
    InputSpec,
    Masked,
    Problem,
    Rows,
    Split,
    Stored,
    TargetSpec,
)
from dlrun.contracts.judging import Baseline, Evaluation, Guard
from dlrun.contracts.learning import (
    AnyLoss,
    AnyMetric,
    AnyTable,
    Callback,
    Loss,
    Metric,
    OptimizerSpec,
    Output,
    RankingMetric,
    RowTable,
    Rule,
    Schedule,
    Step,
    SumOfLosses,
    TableMetric,
)
from dlrun.contracts.windows import Windows, dealt

__all__ = [
    "AnyLoss",
    "AnyMetric",
    "AnyTable",
    "Bags",
    "Baseline",
    "Batch",
    "Callback",
    "Column",
    "Data",
    "DataSpec",
    "Dataset",
    "Evaluation",
    "Guard",
    "InputSpec",
    "Loss",
    "Masked",
    "Metric",
    "OptimizerSpec",
    "Output",
    "Problem",
    "RankingMetric",
    "RowTable",
    "Rows",
    "Rule",
    "Schedule",
    "Split",
    "Step",
    "Stored",
    "SumOfLosses",
    "TableMetric",
    "TargetSpec",
    "Windows",
    "dealt",
]
