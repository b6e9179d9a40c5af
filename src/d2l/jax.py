"""JAXで本書のコードを動かすための関数。

``from d2l import jax as d2l``と書いて使う。

このモジュールを取り込むだけでは、乱数キーも配列も作らず、デバイスも調べない。
どれもXLAを起動する。XLAのスレッドはforkした子プロセスに引き継がれないので、
取り込んだ後でforkすると、子プロセスが止まってしまう。
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import jax
from jax import numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jax import Array as Tensor
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
    "get_key",
]

_calls = count()  # get_keyが呼ばれた回数


def tensor(data: Any) -> Tensor:
    """Pythonの数やリストからテンソルを作る。

    小数を1つでも含めば、要素の型はfloat32になる。

    Args:
        data: 数、または数のリスト（入れ子でもよい）。整数だけならint32になる。
            NumPyの配列なら、64ビットの型は32ビットになる。

    Returns:
        ``data``と同じ形状のテンソル。

    Raises:
        ValueError: 入れ子のリストの長さが揃っていない。
    """
    return jnp.array(data)


def zeros(shape: Sequence[int]) -> Tensor:
    """すべての要素が0のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return jnp.zeros(tuple(shape))


def ones(shape: Sequence[int]) -> Tensor:
    """すべての要素が1のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return jnp.ones(tuple(shape))


def arange(n: int) -> Tensor:
    """0から``n - 1``までの数を順に並べたテンソルを作る。

    Args:
        n: 要素の数。0以上の整数。

    Returns:
        形状が``(n,)``のfloat32のテンソル。
    """
    return jnp.arange(n, dtype=jnp.float32)


def rand(shape: Sequence[int], *, key: Tensor | None = None) -> Tensor:
    """0以上1未満の一様分布に従う乱数のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。
        key: 乱数キー。なければ``get_key()``で作る。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return jax.random.uniform(get_key() if key is None else key, tuple(shape))


def randn(shape: Sequence[int], *, key: Tensor | None = None) -> Tensor:
    """平均0、標準偏差1の正規分布に従う乱数のテンソルを作る。

    Args:
        shape: 形状。たとえば``(2, 3)``。
        key: 乱数キー。なければ``get_key()``で作る。

    Returns:
        形状が``shape``のfloat32のテンソル。
    """
    return jax.random.normal(get_key() if key is None else key, tuple(shape))


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """行列の積を計算する。

    3階以上のテンソルでは、最後の2つの軸を行列と見て、残りの軸はブロードキャストする。

    Args:
        a: 形状が``(..., n, k)``のテンソル。
        b: 形状が``(..., k, m)``のテンソル。

    Returns:
        形状が``(..., n, m)``のテンソル。

    Raises:
        TypeError: ``a``の列の数と``b``の行の数が違う。
    """
    return jnp.matmul(a, b)


def reduce_sum(x: Tensor, axis: int | None = None) -> Tensor:
    """要素の和を計算する。

    Args:
        x: テンソル。
        axis: 和をとる軸。``None``なら、すべての要素の和をとる。

    Returns:
        ``x``の形状から軸``axis``を除いたテンソル。``axis``が``None``なら形状は()。

    Raises:
        ValueError: ``x``に軸``axis``がない。
    """
    return jnp.sum(x, axis=axis)


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
    return jnp.mean(x, axis=axis)


def exp(x: Tensor) -> Tensor:
    """要素ごとに指数関数を計算する。

    Args:
        x: テンソル。要素の型は浮動小数点数とする。

    Returns:
        ``x``と同じ形状のテンソル。
    """
    return jnp.exp(x)


def abs(x: Tensor) -> Tensor:
    """要素ごとに絶対値を計算する。

    Args:
        x: テンソル。

    Returns:
        ``x``と同じ形状のテンソル。
    """
    return jnp.abs(x)


def concat(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """テンソルを1つの軸に沿ってつなぐ。

    Args:
        tensors: つなぐテンソルの列。``axis``のほかの軸の長さは揃っていること。
        axis: つなぐ軸。

    Returns:
        軸``axis``の長さが、つないだテンソルの合計になるテンソル。

    Raises:
        TypeError: ``axis``のほかの軸の長さが揃っていない。
    """
    return jnp.concatenate(tuple(tensors), axis=axis)


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """要素の並びを保ったまま、形状を変える。

    Args:
        x: テンソル。
        shape: 新しい形状。1か所だけ-1と書け、その軸の長さは要素の数から決まる。

    Returns:
        形状が``shape``のテンソル。

    Raises:
        TypeError: 要素の数が合わない。
    """
    return jnp.reshape(x, tuple(shape))


def numpy(x: Tensor) -> NDArray[Any]:
    """テンソルをNumPyの配列に変える。

    Args:
        x: テンソル。どのデバイスにあってもよい。

    Returns:
        ``x``と同じ形状の``numpy.ndarray``。``x``とメモリを共有することがあるので、
        書き換えるなら``copy()``してから使う。
    """
    return jax.device_get(x)


def cpu() -> jax.Device:
    """CPUを表すデバイスを返す。

    「GPUを使う」の節で作る。

    Returns:
        ``jax.devices("cpu")``の初めのデバイス。
    """
    return jax.devices("cpu")[0]


def gpu(i: int = 0) -> jax.Device:
    """``i``番目のGPUを表すデバイスを返す。

    JAXのデバイスは名前ではなく実物なので、ないGPUは表せない。
    「GPUを使う」の節で作る。

    Args:
        i: GPUの番号。0から数える。

    Returns:
        ``jax.devices("gpu")[i]``。

    Raises:
        RuntimeError: GPUが1つもない。
        IndexError: ``i``番目のGPUがない。
    """
    return jax.devices("gpu")[i]


def num_gpus() -> int:
    """使えるGPUの数を返す。GPUのない計算機では0を返す。

    「GPUを使う」の節で作る。

    Returns:
        GPUの台数。0以上の整数。
    """
    return sum(device.platform == "gpu" for device in jax.devices())


def try_gpu(i: int = 0) -> jax.Device:
    """``i``番目のGPUがあればそれを、なければCPUを返す。

    「GPUを使う」の節で作る。

    Args:
        i: GPUの番号。0から数える。

    Returns:
        ``gpu(i)``か``cpu()``が返すもの。
    """
    return gpu(i) if i in range(num_gpus()) else cpu()


def try_all_gpus() -> list[jax.Device]:
    """すべてのGPUを番号の順に返す。1つもなければ、CPUだけを返す。

    「GPUを使う」の節で作る。

    Returns:
        ``gpu(0)``、``gpu(1)``、…が返すもののリスト。GPUがなければ``[cpu()]``。
    """
    return [gpu(i) for i in range(num_gpus())] or [cpu()]


def get_key() -> Tensor:
    """新しい乱数キーを返す。

    JAXの乱数関数は内部に状態を持たず、同じキーからは同じ乱数を作る。
    そこで、呼ばれた回数をキー0に混ぜ、呼ぶたびに違うキーを作る。
    プログラムを始めからやり直せば、同じキーが同じ順に得られる。

    Returns:
        1個の乱数キー（形状は()）。
    """
    return jax.random.fold_in(jax.random.key(0), next(_calls))
