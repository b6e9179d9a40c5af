"""What the site says in its own words, by language."""

from __future__ import annotations

__all__ = ["text"]

_TEXTS = {
    "ja": {
        "frameworks": "フレームワーク",
        "not-executed": "この環境では実行していない",
        "old-outputs": "この環境では実行していない。示した出力は前回の実行のものである",
        "failed": "このページのコードは、実行の途中で失敗した",
        "skipped": "このセルは実行していない。{reason}",
        "without-gpu": "このセルはGPUを必要とする。この出力を作った環境にはGPUがないので、実行していない",
        "parameters": "引数",
        "returns": "戻り値",
        "raises": "例外",
        "only-in": "{frameworks}だけにある。",
        "source": "ソース",
        "term": "用語（読み）",
        "english": "英語",
        "note": "補足",
        "provenance": "この出力は{framework}で実行して得た（{details}）",
        "provenance-device": "デバイス",
        "provenance-date": "実行した日時",
        "provenance-key": "鍵",
        "date": "{year}年{month}月{day}日",
        "separator": "、",
        "chapter": "%s章",
        "section": "%s節",
        "figure": "図%s",
        "table": "表%s",
        "code-block": "コード%s",
        "equation": "({number})",
    },
    "en": {
        "frameworks": "Framework",
        "not-executed": "Not executed in this environment",
        "old-outputs": "Not executed in this environment; the outputs shown are those of an earlier run",
        "failed": "The code of this page failed in the middle of its execution",
        "skipped": "This cell is not run: {reason}",
        "without-gpu": "This cell needs a GPU; it was not run, since these outputs were made without one",
        "parameters": "Arguments",
        "returns": "Returns",
        "raises": "Raises",
        "only-in": "In {frameworks} only.",
        "source": "Source",
        "term": "Term",
        "english": "English",
        "note": "Note",
        "provenance": "These outputs were made with {framework} ({details})",
        "provenance-device": "Device",
        "provenance-date": "Executed",
        "provenance-key": "Key",
        "date": "{year}-{month:02}-{day:02}",
        "separator": ", ",
        "chapter": "Chapter %s",
        "section": "Section %s",
        "figure": "Fig. %s",
        "table": "Table %s",
        "code-block": "Listing %s",
        "equation": "({number})",
    },
}


def text(language: str, name: str) -> str:
    """Return a text in a language; English where the language is not known.

    >>> text("ja", "frameworks")
    'フレームワーク'
    """
    return _TEXTS.get(language.split("_", maxsplit=1)[0].split("-", maxsplit=1)[0], _TEXTS["en"])[name]
