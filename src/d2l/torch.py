"""PyTorchで本書のコードを動かすための関数。

``from d2l import torch as d2l``と書いて使う。
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "tensor",
    "zeros",
    "ones",
    "arange",
    "rand",
    "randn",
    "matmul",
    "reduce_sum",
    "reduce_mean",
    "exp",
    "abs",
    "concat",
    "reshape",
    "numpy",
    "cpu",
    "gpu",
    "num_gpus",
    "try_gpu",
    "try_all_gpus",
]


def tensor(data: Any) -> Tensor:
    """Pythonの数やリストからテンソルを作る。

    小数を1つでも含めば、要素の型はfloat32になる。

    Args:
        data: 数、または数のリスト（入れ子でもよい）。整数だけならint64になる。
            NumPyの配列なら、その要素の型を引き継ぐ。

    Returns:
        ``data``と同じ形状のテンソル。

    Raises:
        ValueError: 入れ子のリストの長さが揃っていない。
    """
    return torch.tensor(data)


def zeros(shape: Sequence[int]) -> Tensor:
    """すべての要素が0のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return torch.zeros(tuple(shape))


def ones(shape: Sequence[int]) -> Tensor:
    """すべての要素が1のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return torch.ones(tuple(shape))


def arange(n: int) -> Tensor:
    """0から``n - 1``までの数を順に並べたテンソルを作る。

    Args:
        n: 要素の数。0以上の整数。

    Returns:
        形状が``(n,)``のfloat32のテンソル。
    """
    return torch.arange(n, dtype=torch.float32)


def rand(shape: Sequence[int]) -> Tensor:
    """0以上1未満の一様分布に従う乱数のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return torch.rand(tuple(shape))


def randn(shape: Sequence[int]) -> Tensor:
    """平均0、標準偏差1の正規分布に従う乱数のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return torch.randn(tuple(shape))


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """行列の積を計算する。

    3階以上のテンソルでは、最後の2つの軸を行列と見て、残りの軸はブロードキャストする。

    Args:
        a: 形状が``(..., n, k)``のテンソル。
        b: 形状が``(..., k, m)``のテンソル。

    Returns:
        形状が``(..., n, m)``のテンソル。

    Raises:
        RuntimeError: ``a``の列の数と``b``の行の数が違う。
    """
    return torch.matmul(a, b)


def reduce_sum(x: Tensor, axis: int | None = None) -> Tensor:
    """要素の和を計算する。

    Args:
        x: テンソル。
        axis: 和をとる軸。``None``なら、すべての要素の和をとる。

    Returns:
        ``x``の形状から軸``axis``を除いたテンソル。``axis``が``None``なら形状は()。

    Raises:
        IndexError: ``x``に軸``axis``がない。
    """
    return torch.sum(x, dim=axis)


def reduce_mean(x: Tensor, axis: int | None = None) -> Tensor:
    """要素の平均を計算する。

    Args:
        x: テンソル。要素の型は浮動小数点数とする。
        axis: 平均をとる軸。``None``なら、すべての要素の平均をとる。

    Returns:
        ``x``の形状から軸``axis``を除いたテンソル。``axis``が``None``なら形状は()。

    Raises:
        IndexError: ``x``に軸``axis``がない。
    """
    return torch.mean(x, dim=axis)


def exp(x: Tensor) -> Tensor:
    """要素ごとに指数関数を計算する。

    Args:
        x: テンソル。要素の型は浮動小数点数とする。

    Returns:
        ``x``と同じ形状のテンソル。
    """
    return torch.exp(x)


def abs(x: Tensor) -> Tensor:
    """要素ごとに絶対値を計算する。

    Args:
        x: テンソル。

    Returns:
        ``x``と同じ形状のテンソル。
    """
    return torch.abs(x)


def concat(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """テンソルを1つの軸に沿ってつなぐ。

    Args:
        tensors: つなぐテンソルの列。``axis``のほかの軸の長さは揃っていること。
        axis: つなぐ軸。

    Returns:
        軸``axis``の長さが、つないだテンソルの合計になるテンソル。

    Raises:
        RuntimeError: ``axis``のほかの軸の長さが揃っていない。
    """
    return torch.cat(tuple(tensors), dim=axis)


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """要素の並びを保ったまま、形状を変える。

    Args:
        x: テンソル。
        shape: 新しい形状。1か所だけ-1と書け、その軸の長さは要素の数から決まる。

    Returns:
        形状が``shape``のテンソル。

    Raises:
        RuntimeError: 要素の数が合わない。
    """
    return torch.reshape(x, tuple(shape))


def numpy(x: Tensor) -> NDArray[Any]:
    """テンソルをNumPyの配列に変える。

    Args:
        x: テンソル。どのデバイスにあってもよいし、勾配を記録していてもよい。

    Returns:
        ``x``と同じ形状の``numpy.ndarray``。``x``とメモリを共有することがあるので、
        書き換えるなら``copy()``してから使う。
    """
    return x.detach().cpu().numpy()


def cpu() -> torch.device:
    """CPUを表すデバイスを返す。

    「GPUを使う」の節で作る。

    Returns:
        ``torch.device("cpu")``。
    """
    return torch.device("cpu")


def gpu(i: int = 0) -> torch.device:
    """``i``番目のGPUを表すデバイスを返す。

    名前を作るだけで、そのGPUがあるかどうかは調べない。
    「GPUを使う」の節で作る。

    Args:
        i: GPUの番号。0から数える。

    Returns:
        ``torch.device("cuda", i)``。
    """
    return torch.device("cuda", i)


def num_gpus() -> int:
    """使えるGPUの数を返す。GPUのない計算機では0を返す。

    「GPUを使う」の節で作る。

    Returns:
        GPUの台数。0以上の整数。
    """
    return torch.cuda.device_count()


def try_gpu(i: int = 0) -> torch.device:
    """``i``番目のGPUがあればそれを、なければCPUを返す。

    「GPUを使う」の節で作る。

    Args:
        i: GPUの番号。0から数える。

    Returns:
        ``gpu(i)``か``cpu()``が返すもの。
    """
    return gpu(i) if i in range(num_gpus()) else cpu()


def try_all_gpus() -> list[torch.device]:
    """すべてのGPUを番号の順に返す。1つもなければ、CPUだけを返す。

    「GPUを使う」の節で作る。

    Returns:
        ``gpu(0)``、``gpu(1)``、…が返すもののリスト。GPUがなければ``[cpu()]``。
    """
    return [gpu(i) for i in range(num_gpus())] or [cpu()]
