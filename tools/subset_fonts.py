"""Cuts the report's fonts out of Noto Sans CJK SC (Debian's fonts-noto-cjk): run once, by hand, when the set changes.

    apt-get download fonts-noto-cjk && dpkg -x fonts-noto-cjk_*.deb noto
    pip install fonttools
    python tools/subset_fonts.py noto/usr/share/fonts/opentype/noto supplychain/report/fonts

The set: Latin, Greek and Cyrillic with signs and arrows; GB 2312 (simplified Chinese), the common level of Big5
(traditional Chinese, for makers in Taiwan), JIS X 0208 level 1 with kana (Japanese), KS X 1001 Hangul (Korean). Shapes
are the simplified Chinese ones. Kerning stays, hinting goes. The same input gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

FACES = {"Regular": "NotoSansCJKsc-Regular-subset.otf", "Bold": "NotoSansCJKsc-Bold-subset.otf"}
SIMPLIFIED_CHINESE, KOREAN = 2, 1  # places of two faces in Debian's collection
# Quotation marks, dashes and the middle dot are as wide as a Chinese letter in the SC face; most of the report's
# words are Latin, for which the KR face has them in their usual width.
LATIN_SIGNS = (0x00B7, 0x2010, 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2264, 0x2265)
BLOCKS = (
    (0x0020, 0x024F),  # Latin
    (0x0370, 0x052F),  # Greek, Cyrillic
    (0x1E00, 0x1EFF),  # Latin, additional
    (0x2000, 0x27BF),  # punctuation, signs, arrows, mathematics, shapes
    (0x3000, 0x30FF),  # East Asian punctuation, kana
    (0xFF00, 0xFFEF),  # wide forms
)
ENCODINGS = (("gb2312", 0xA1, 0xF7), ("big5", 0xA1, 0xC6), ("euc_jp", 0xA1, 0xCF), ("euc_kr", 0xB0, 0xC8))
NARROW_SPACES = (0x2009, 0x202F)
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


def close_up_ellipsis(font: TTFont) -> None:
    """Draw the ellipsis as three full stops on the line: every face of the collection has it wide and in mid-air."""
    names, shapes, glyphs = font.getBestCmap(), font["CFF "].cff.topDictIndex[0].CharStrings, font.getGlyphSet()
    stop, ellipsis = names[ord(".")], names[0x2026]
    step = font["hmtx"][stop][0]
    old = shapes[ellipsis]
    old.decompile()
    pen = T2CharStringPen(3 * step - old.private.nominalWidthX, glyphs)
    for place in range(3):
        glyphs[stop].draw(TransformPen(pen, (1, 0, 0, 1, place * step, 0)))
    shapes[ellipsis] = pen.getCharString(private=old.private, globalSubrs=old.globalSubrs)
    font["hmtx"][ellipsis] = (3 * step, font["hmtx"][stop][1])


def cut(source: Path, target: Path) -> None:
    """Write the subset of one collection's simplified Chinese face."""
    font = TTFont(source, fontNumber=SIMPLIFIED_CHINESE, recalcTimestamp=False)
    korean = TTFont(source, fontNumber=KOREAN).getBestCmap()  # one set of glyphs serves all faces of the collection
    for table in font["cmap"].tables:
        table.cmap.update({code: korean[code] for code in LATIN_SIGNS if code in table.cmap})
    options = subset.Options()
    options.layout_features = ["kern"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = ["*"]  # copyright and licence stay inside
    options.drop_tables += DROPPED
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    for table in font["cmap"].tables:  # narrow spaces, which hold thousands together, are not in the original
        table.cmap.update(dict.fromkeys(NARROW_SPACES, table.cmap[0x20]))
    close_up_ellipsis(font)
    font.save(target)
    sys.stdout.write(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {len(font.getBestCmap())} characters\n")


if __name__ == "__main__":
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    for face, name in FACES.items():
        cut(folder / f"NotoSansCJK-{face}.ttc", out / name)
