"""What a configuration says of a river model: which one, and its own parameters by plain names."""

from __future__ import annotations

from models.detectors.parameters import parameter
from models.detectors.strangeness import StrangenessParameters


class RiverParameters(StrangenessParameters):
    """Each model hears the parameters that its text names; the others change nothing for it.

    >>> RiverParameters(model="LODA").cuts
    50
    """

    model: str = parameter(
        "HalfSpaceTrees",
        title="Model",
        zh="模型",
        pattern="^(GaussianScorer|StandardAbsoluteDeviation|HalfSpaceTrees|LODA|LocalOutlierFactor)$",
        text="Which of river's detectors. The first two judge the newest reading alone, the others readings "
        "together.",
        text_zh="使用 river 的哪个检测器。前两个只评判最新读数，其余评判连续多个读数。",
    )
    shingle: int = parameter(
        4,
        title="Readings together",
        zh="连续读数个数",
        unit="readings",
        ge=1,
        le=16,
        text="How many consecutive readings are one point, each in usual distances from the channel's mean.",
        text_zh="作为一个点的连续读数个数，各以与均值相距多少个常见偏差表示。",
    )
    learn_every_s: float = parameter(
        60.0,
        title="Learn every",
        zh="学习间隔",
        unit="s",
        ge=0,
        le=86400,
        text="A point is learned at most so often, so that a window spans hours; strange ones a sixteenth as "
        "often.",
        text_zh="两次学习之间至少相隔此时长，使窗口覆盖数小时；异常时降为十六分之一。",
    )
    window: int = parameter(
        250,
        title="Window",
        zh="窗口",
        unit="points",
        ge=20,
        le=4096,
        text="Points remembered by GaussianScorer, HalfSpaceTrees and LocalOutlierFactor, which gets dear.",
        text_zh="GaussianScorer、HalfSpaceTrees、LocalOutlierFactor 记住的点数；后者随之变慢。",
    )
    trees: int = parameter(
        10,
        title="Trees",
        zh="树的数量",
        ge=1,
        le=100,
        text="Trees of HalfSpaceTrees.",
        text_zh="HalfSpaceTrees 的树的数量。",
    )
    height: int = parameter(
        8,
        title="Height",
        zh="树高",
        ge=1,
        le=12,
        text="Height of the trees of HalfSpaceTrees; each more doubles memory.",
        text_zh="HalfSpaceTrees 的树高；每加一层内存翻倍。",
    )
    cuts: int = parameter(
        50,
        title="Random cuts",
        zh="随机投影数",
        ge=1,
        le=500,
        text="Projections of LODA.",
        text_zh="LODA 的随机投影数量。",
    )
    bins: int = parameter(
        10,
        title="Bins",
        zh="分箱数",
        ge=2,
        le=256,
        text="Bins of each of LODA's histograms.",
        text_zh="LODA 每个直方图的分箱数。",
    )
    neighbours: int = parameter(
        10,
        title="Neighbours",
        zh="近邻数",
        ge=1,
        le=100,
        text="Neighbours of LocalOutlierFactor.",
        text_zh="LocalOutlierFactor 的近邻数。",
    )
    seed: int = parameter(
        1,
        title="Seed",
        zh="随机种子",
        ge=0,
        lt=2**31,
        text="Of the random choices of HalfSpaceTrees and LODA.",
        text_zh="HalfSpaceTrees 与 LODA 随机选择的种子。",
    )
