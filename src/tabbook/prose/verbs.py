"""Verb forms that Japanese does not have: 「見れる」, and what careless replacements leave, such as 「頼りる」."""

from __future__ import annotations

import re

from tabbook.dialect.findings import Findings
from tabbook.prose.passage import Passage

__all__ = ["impossible_forms"]

_KANJI = "一-龯々"

# The potential of a verb on -iru or -eru takes られる. A stem on e is told by its kana, one on i must be known:
# 「混じれる」 is the potential of 「混じる」. 「れば」 is not listed: 「見れば」 is the conditional, and right.
_STEM_ON_E = rf"[{_KANJI}][ぁ-ゖ]{{0,2}}?[えけげせぜてでねべめ](?<!すべ|かえ|がえ)(?<!しゃべ)"
_STEM_ON_I = (
    "起き|用い|試み|生じ|感じ|信じ|演じ|命じ|応じ|準じ|転じ|論じ|通じ|講じ|禁じ|投じ|閉じ|降り|借り|落ち|生き|過ぎ|浴び"
    "|伸び|延び|帯び|省み|顧み|率い|見|出|来|着|寝|得|経|居"
)
_WITHOUT_RA = re.compile(
    rf"({_STEM_ON_E}|{_STEM_ON_I}|たべ|おぼえ|かんがえ|しらべ)れ(?:る|た|て|な[いかく]|ず|ま[すせ])"
)

# 「頼ります」 turned into 「頼りる」: the stem of a five-row verb with the ending of another class. The kanji of verbs
# that are rightly so (「用いる」「起きる」「試みる」「借りる」) are not here.
_FIVE_ROWS = {
    "い": ("う", "[使行扱従違言思払願失補伴担習問追買会争奪疑狙養合]|向か"),
    "き": ("く", "[書置行動働導開聞解除引築続描抜省招焼巻磨効向付歩]"),
    "ぎ": ("ぐ", "[防稼泳急注継繋脱]"),
    "し": ("す", rf"[{_KANJI}][らやわばとこ]?|[動生活]か"),
    "ち": ("つ", "[持待立保打勝育放断]"),
    "に": ("ぬ", "死"),
    "び": ("ぶ", "[学選呼運並結遊飛喜及]"),
    "み": ("む", "[読進含組積生産住踏望盗刻編休頼囲包沈噛込]"),
    "り": (
        "る",
        rf"(?![借足降下懲])[{_KANJI}]|[{_KANJI}][わまがざ]|[分掛助授預]か|当た|(?<![ぁ-ゖ])な|[とにく異重]な|あ",
    ),
}
# 「示した」 is right, so し is told by る alone; た is told at the end of a sentence, since 「使いたい」 is right.
_CLASS_MISSED = {
    final: re.compile(rf"({stems}){kana}(?:る(?![しす]){'' if kana == 'し' else '|た(?=[。、])'})")
    for kana, (final, stems) in _FIVE_ROWS.items()
}
_TWO_ENDINGS = re.compile(r"(です|ます|だ|する|した)である(?=[。、])|である(?:です|ます)(?=[。、])")


def impossible_forms(passage: Passage, findings: Findings) -> None:
    """Report forms that no verb has."""
    for match in _WITHOUT_RA.finditer(passage.text):
        findings.add(
            passage.line(match.start()),
            "impossible-form",
            f"`{match[0]}` lacks ら.",
            f"write `{match[1]}ら{match[0][len(match[1]) :]}`; where `{match[1]}る` itself means can, that is enough",
        )
    for final, pattern in _CLASS_MISSED.items():
        for match in pattern.finditer(passage.text):
            findings.add(
                passage.line(match.start()),
                "impossible-form",
                f"`{match[0]}` is not a form of a verb.",
                f"write a form of `{match[1]}{final}`",
            )
    for match in _TWO_ENDINGS.finditer(passage.text):
        findings.add(
            passage.line(match.start()),
            "impossible-form",
            f"`{match[0]}` ends the sentence twice.",
            "write one ending",
        )
