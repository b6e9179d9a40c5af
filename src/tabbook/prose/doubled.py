"""Words that stand twice in a row by mistake; words that Japanese doubles on purpose are left alone."""

from __future__ import annotations

import re

from tabbook.dialect.findings import Findings
from tabbook.prose.passage import MASK, REFERENCE, Passage

__all__ = ["doubled_words"]

_KANJI = "一-龯々"
_KATAKANA = "ァ-ヺー"
_WORD = rf"{_KANJI}{_KATAKANA}A-Za-z0-9{MASK}{REFERENCE}"

# 「ものの」「おのおのの」「ことと」「彼ははじめ」 are right: a doubled particle beside other kana is left alone.
_PARTICLES = re.compile(
    rf"(?<=[{_WORD}」』）])([がはとにでも])\1(?=[{_WORD}「『（、。])|をを|(?<![もお])のの(?=[{_WORD}「『（、。])"
)
# 「一つ一つ」「何度何度」 count, 「次の次の層」「次の行の行末」 lead on.
_WITH_KANJI = re.compile(
    rf"(?![一何の]|[{_KANJI}]の)"
    rf"([ぁ-ゖ{_KATAKANA}]*?[{_KANJI}][ぁ-ゖ{_KANJI}{_KATAKANA}]+?|[ぁ-ゖ{_KATAKANA}]+?[{_KANJI}])\1"
)
_KATAKANA_WORD = re.compile(rf"([{_KATAKANA}]{{3,}}?)\1")
_KANA = re.compile(r"(?!ひとつ|ふたつ|ひとり)([ぁ-ゖ]{3,}?)\1")
# Two kana doubled are mostly mimetic words, 「いろいろ」「ますます」; these are not.
_SHORT = re.compile(
    r"(です|から|まで|ため|こと|では|には|とは|より|だけ|ほど|した|する|いる|ある|なる|ない|れる|られ|にも|でも|ので|のに)\1"
    r"|(?<![ぁ-ゖ])(?:この|その|これ)(?:この|その|これ)|(?:もの){2}(?!し)"
)
_LATIN = re.compile(r"(?<![A-Za-z])([A-Za-z]{2,})[ \n]+\1(?![A-Za-z])")
_PATTERNS = (_PARTICLES, _WITH_KANJI, _KATAKANA_WORD, _KANA, _SHORT, _LATIN)


def doubled_words(passage: Passage, findings: Findings) -> None:
    """Report particles and words that are written twice."""
    end = 0
    matches = [match for pattern in _PATTERNS for match in pattern.finditer(passage.text)]
    for match in sorted(matches, key=lambda match: (match.start(), -match.end())):
        if match.start() < end:
            continue  # part of a longer one
        end = match.end()
        once = match[0][: len(match[0]) // 2].strip()
        findings.add(
            passage.line(match.start()),
            "doubled-word",
            f"`{match[0]}` says `{once}` twice.",
            f"write `{once}` once",
        )
