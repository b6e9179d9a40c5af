"""simulation.md: its prose stands in simulation.template.md, for maintainers, in Japanese; the numbers are put in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.simulate_books import KINDS
from benchmarks.simulate_limits import limits, seconds_text

__all__ = ["write_report"]

_TEMPLATE = Path(__file__).with_name("simulation.template.md")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Column:
    """A column: its head, and the text of a row's cell."""

    head: str
    text: Callable[[Row], str]


def write_report(results: Row, target: Path) -> None:
    """Write the page anew."""
    measured, training = results["measured"], KINDS["training"]
    fields = {
        **limits(measured),
        **_circumstances(measured),
        "light": KINDS["light"].title,
        "training": training.title,
        "spread": training.spread,
        "share": training.training,
        "longer": training.longer,
        "one": training.one_gpu,
        "more": training.more_gpus,
        "sizes": _sizes(results["simulated"]["sizes"]),
        "frameworks": _table(_frameworks(measured), _FRAMEWORKS),
        "costs": _costs(measured),
        "validated": _table(results["validated"], _VALIDATED) if results.get("validated") else _NOT_VALIDATED,
        **{name: _table(results["simulated"][name], columns) for name, columns in _SIMULATED.items()},
    }
    target.write_text(_TEMPLATE.read_text(encoding="utf-8").format_map(fields), encoding="utf-8")


def _table(rows: Iterable[Row], columns: Sequence[_Column]) -> str:
    return _lines([column.head for column in columns], ([column.text(row) for column in columns] for row in rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(head: str, name: str) -> _Column:
    return _Column(head, lambda row: seconds_text(row[name]))


def _percent(head: str, name: str) -> _Column:
    return _Column(head, lambda row: f"{100 * row[name]:.1f} %")


def _number(head: str, name: str) -> _Column:
    return _Column(head, lambda row: f"{row[name]:,.0f}")


def _megabytes(head: str, name: str) -> _Column:
    return _Column(head, lambda row: f"{row[name]:,.1f} MB")


def _bounded(text: Callable[[Row], str]) -> Callable[[Row], str]:
    """Leave a cell empty where nothing is executed, and nothing bounds it."""
    return lambda row: text(row) if row["bound"] else "–"


def _computers(row: Row) -> str:
    return f"1台、ワーカ {row['cpus']}" if row["local"] else f"{row['nodes']} 節点 × {row['cpus']}"


_LIMITS = {"slots": "枠の数", "gpus": "GPUの数", "longest": "最も長い一つ"}

_NOT_VALIDATED = "まだ検証していない。`make simulate VALIDATE=1` がする。"

_COUNT = _number("ノートブック", "notebooks")
_NODES = _number("節点", "nodes")
_WALL = _seconds("時間", "wall")
_RATIO = _Column("下限比", _bounded(lambda row: f"{row['ratio']:.2f}"))
_SHARES = (_percent("枠の空き", "idle"), _percent("サーバ待ち", "starting"))
_DRIVER = _percent("司令役の多忙", "driver")
_COMMON = (
    _WALL,
    _seconds("下限", "bound"),
    _Column("下限を決めるもの", _bounded(lambda row: _LIMITS[row["limit"]])),
    _RATIO,
    *_SHARES,
    _DRIVER,
)

_SIMULATED: Mapping[str, Sequence[_Column]] = {
    "machine": (_COUNT, _number("ワーカ", "cpus"), *_COMMON),
    "changes": (
        _COUNT,
        _Column("計算機", _computers),
        _Column("ストアにある割合", lambda row: f"{100 * row['fresh']:.0f} %"),
        _WALL,
        _seconds("下限", "bound"),
        _DRIVER,
        _megabytes("ストアから読む", "loaded_mb"),
        _megabytes("書く", "stored_mb"),
    ),
    "clusters": (
        _COUNT,
        _NODES,
        _Column("環境", lambda row: "あり" if row["ready"] else "なし"),
        *_COMMON,
        _number("起動したサーバ", "servers"),
        _megabytes("送る", "sent_mb"),
        _megabytes("書く", "stored_mb"),
        _Column("パッケージ", lambda row: f"{row['packages_mb'] / 1000:,.0f} GB"),
    ),
    "gpus": (_COUNT, _NODES, _number("節点のGPU", "gpus"), *_COMMON),
    "losses": (
        _NODES,
        _Column("1節点・1時間の喪失", lambda row: f"{row['losses']:g}"),
        _WALL,
        _seconds("最悪", "most"),
        _number("失われた節点", "nodes_lost"),
        _number("やり直し", "again"),
        _percent("捨てた時間", "lost"),
        _number("未完", "unfinished"),
    ),
    "policies": (
        _COUNT,
        _Column("計算機", _computers),
        _Column("割り当て方", lambda row: f"`{row['policy']}`"),
        _WALL,
        _RATIO,
        *_SHARES,
        _number("起動したサーバ", "servers"),
    ),
}

_VALIDATED = (
    _Column("構築", lambda row: row["run"]),
    _COUNT,
    _Column("負荷", lambda row: f"{row['load_average']:.1f}"),
    _seconds("実測", "measured"),
    _seconds("予測", "forecast"),
    _Column("予測の誤差", lambda row: f"{row['forecast_error']:+.1f} %"),
    _seconds("再現", "replayed"),
    _Column("再現の誤差", lambda row: f"{row['replayed_error']:+.1f} %"),
)

_FRAMEWORKS = (
    _Column("フレームワーク", lambda row: row["name"]),
    _seconds("ノートブックの中の時間、平均", "mean"),
    _seconds("サーバの起動（CPU）", "cpu"),
    _seconds("同（実時間、最短）", "seconds"),
    _seconds("新しい環境での初回（CPU）", "first_start"),
    _Column("サーバのメモリ", lambda row: f"{row['memory'] / 2**20:.0f} MiB"),
    _seconds("環境づくり（実時間）", "making"),
    _seconds("同（CPU）", "making_cpu"),
    _Column("環境の大きさ", lambda row: f"{row['bytes'] / 1e9:.2f} GB"),
)


def _sizes(rows: Sequence[Row]) -> str:
    """Return a line a book, and a column a set of computers."""
    computers = list(dict.fromkeys(map(_computers, rows)))
    walls = {(row["kind"], row["notebooks"], _computers(row)): seconds_text(row["wall"]) for row in rows}
    books = dict.fromkeys((row["kind"], row["notebooks"]) for row in rows)
    lines = (
        [KINDS[kind].title, f"{notebooks:,}", *(walls[kind, notebooks, name] for name in computers)]
        for kind, notebooks in books
    )
    return _lines(["本", "ノートブック", *computers], lines)


def _circumstances(measured: Row) -> dict[str, str]:
    about = {name: each["circumstances"] for name, each in measured.items()}
    machine = about["driver"]["machine"]
    dates = (
        f"{name} {each['date'][:10]} {each['commit']} 負荷 {each['machine']['load']:.1f}"
        for name, each in about.items()
    )
    text = f"{machine['cpu']}、{machine['cores']} コア、{machine['memory']} GiB の機械"
    return {"machine_text": text, "dates": "、".join(dates)}


def _frameworks(measured: Row) -> Sequence[Row]:
    rows = []
    for name, server in measured["servers"]["frameworks"].items():
        environment = measured["environments"]["frameworks"][name]
        seconds = [each["seconds"] for each in measured["run"]["notebooks"] if each["framework"] == name]
        making = {"making": environment["seconds"], "making_cpu": environment["cpu"]}
        rows.append({**environment, **server, **making, "name": name, "mean": fmean(seconds)})
    return rows


def _costs(measured: Row) -> str:
    driver, run, ray = measured["driver"], measured["run"], measured["ray"]
    stored = fmean(each["stored"] for each in measured["run"]["notebooks"]) / 1000
    lines = [
        ("コマンドの起動からページを読み始めるまで（CPU）", seconds_text(driver["command"])),
        ("変更の有無の判定、1ノートブック（CPU）", seconds_text(driver["decide"])),
        ("ストアの1項目を読み、検証する（CPU）", seconds_text(driver["load"])),
        ("1ノートブックの結果と状態を書く（fsyncを含む実時間）", seconds_text(driver["keep"])),
        ("1項目の大きさ、平均", f"{stored:.1f} kB"),
        ("割り当て、1ノートブック（CPU）", seconds_text(driver["place"])),
        ("同、1節点ごとに（CPU）", seconds_text(driver["place_per_node"])),
        ("ノートブックと話すプロセスの仕事、1ノートブック（CPU）", seconds_text(run["host"])),
        ("同、実行1秒ごとに（CPU）", seconds_text(run["watch"])),
        ("後片づけ", seconds_text(run["closing"])),
        ("Ray：コマンドから、環境のある節点が使えるまで", seconds_text(ray["opened"])),
        ("Ray：1ノートブックの送受（司令役のCPU）", seconds_text(ray["carry"])),
        ("Ray：節点に一度送る束", f"{ray['bundle'] / 1000:.0f} kB"),
        ("Ray：節点のプロセスが殺されてから気づくまで", seconds_text(ray["detect"])),
    ]
    return _lines(["費用", "値"], lines)
