"""Cuts the report's fonts out of Noto Sans CJK SC (Debian's fonts-noto-cjk): run once, by hand, when the set changes.

    apt-get download fonts-noto-cjk && dpkg -x fonts-noto-cjk_*.deb noto
    pip install fonttools
    python tools/subset_fonts.py noto/usr/share/fonts/opentype/noto supplychain/report/fonts

The set: Latin, Greek and Cyrillic with signs and arrows; GB 2312 (simplified Chinese), the common level of Big5
(traditional Chinese, for makers in Taiwan), JIS X 0208 level 1 with kana (Japanese), KS X 1001 Hangul (Korean). Shapes
are the simplified Chinese ones. Kerning and figures of equal width stay, hinting goes. The same input gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FACES = {"Regular": "NotoSansCJKsc-Regular-subset.otf", "Bold": "NotoSansCJKsc-Bold-subset.otf"}
SIMPLIFIED_CHINESE = 2  # place of the SC face in Debian's collection
BLOCKS = (
    (0x0020, 0x024F),  # Latin
    (0x0370, 0x052F),  # Greek, Cyrillic
    (0x1E00, 0x1EFF),  # Latin, additional
    (0x2000, 0x27BF),  # punctuation, signs, arrows, mathematics, shapes
    (0x3000, 0x30FF),  # East Asian punctuation, kana
    (0xFF00, 0xFFEF),  # wide forms
)
ENCODINGS = (("gb2312", 0xA1, 0xF7), ("big5", 0xA1, 0xC6), ("euc_jp", 0xA1, 0xCF), ("euc_kr", 0xB0, 0xC8))
THIN, NARROW = 0x2009, 0x202F
DROPPED = ["vhea", "vmtx", "VORG", "DSIG", "BASE"]  # for vertical lines, which the report has none of


def characters() -> set[int]:
    """Return the code points of the set."""
    found = {code for first, last in BLOCKS for code in range(first, last + 1)}
    for encoding, first, last in ENCODINGS:
        for lead in range(first, last + 1):
            for trail in range(0x40, 0xFF):
                try:
                    found.update(ord(letter) for letter in bytes((lead, trail)).decode(encoding))
                except UnicodeDecodeError:
                    continue
    return found


def cut(source: Path, target: Path) -> None:
    """Write the subset of one collection's simplified Chinese face."""
    font = TTFont(source, fontNumber=SIMPLIFIED_CHINESE, recalcTimestamp=False)
    options = subset.Options()
    options.layout_features = ["kern", "tnum"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = ["*"]  # copyright and licence stay inside
    options.drop_tables += DROPPED
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    for table in font["cmap"].tables:  # the narrow space that holds thousands together is not in the original
        if THIN in table.cmap:
            table.cmap[NARROW] = table.cmap[THIN]
    font.save(target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {len(font.getBestCmap())} characters")


if __name__ == "__main__":
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    for face, name in FACES.items():
        cut(folder / f"NotoSansCJK-{face}.ttc", out / name)
