"""The order of Japanese words in a list (JIS X 4061, as far as readings in kana go)."""

from __future__ import annotations

import unicodedata

__all__ = ["syllabary_key"]

_SMALL = str.maketrans("ぁぃぅぇぉっゃゅょゎ", "あいうえおつやゆよわ")
_ROWS = {
    "あ": "あかさたなはまやらわ",
    "い": "いきしちにひみり",
    "う": "うくすつぬふむゆる",
    "え": "えけせてねへめれ",
    "お": "おこそとのほもよろを",
}


def syllabary_key(reading: str) -> tuple[str, list[tuple[bool, str]]]:
    """Return what to sort a reading by: its plain kana first, then marks, small kana and length marks.

    >>> sorted(["ばいあす", "ハイ", "はあ", "バー"], key=syllabary_key)
    ['はあ', 'バー', 'ハイ', 'ばいあす']
    """
    hiragana = "".join(chr(ord(sign) - 0x60) if "ァ" <= sign <= "ヶ" else sign for sign in reading)
    plain = ""
    for sign in unicodedata.normalize("NFD", hiragana).translate(_SMALL):
        if sign == "ー":
            plain += next((vowel for vowel, row in _ROWS.items() if plain and plain[-1] in row), "")
        elif not unicodedata.combining(sign):
            plain += sign
    return plain, [(ord(sign) in _SMALL, sign) for sign in hiragana]
