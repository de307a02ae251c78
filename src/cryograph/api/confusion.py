"""Which classes are taken for which: a table of counts, as text and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..base.images import drawing, lettering
from ..base.tensors import Array

CELL, SMALLEST = 44, 4
"""Pixels that a cell has on each side, and the fewest that it shrinks to where there are many classes."""
SIDE = 1600
"""Pixels that the cells of one row may take before they shrink."""
NUMBERED, NAMED = 26, 13
"""Pixels that a cell needs so that its number can be read, and its row's name."""
NAME, WIDE = 24, 100
"""Letters of a label that are drawn, and of a line of text that are printed."""
MARGIN, LINE = 12, 18
RIGHT, WRONG, EMPTY = np.array([18, 84, 136]), np.array([190, 70, 20]), np.array([247, 250, 252])
GREY = (96, 104, 112)
"""Colours of a cell that holds all of its row, where that is right and where it is wrong, of one that holds nothing,
and of what is said below."""
FAINT = 0.15
"""How much of its colour a cell with any picture has at least, so that one mistake is seen."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]` pictures of class `labels[i]` were taken for class `labels[j]`."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(labels: Sequence[str], truth: Array, answers: Array) -> Confusion:
        """Counts what is and what was said, both numbers of classes."""
        table = np.zeros((len(labels), len(labels)), np.int64)
        np.add.at(table, (truth, answers), 1)
        return Confusion(tuple(labels), tuple(tuple(map(int, row)) for row in table))

    def __str__(self) -> str:
        """The table, or, where it is wider than a terminal, a line for each class with what it is taken for."""
        wide = max(map(len, self.labels))
        columns = zip(*self.counts, strict=True)
        across = [max(len(label), len(str(max(c)))) for label, c in zip(self.labels, columns, strict=True)]
        if wide + sum(across) + 2 * len(across) > WIDE:
            return self._by_class()
        head = " " * (wide + 2) + "  ".join(label.rjust(n) for label, n in zip(self.labels, across, strict=True))
        rows = [
            label.ljust(wide + 2) + "  ".join(str(count).rjust(n) for count, n in zip(row, across, strict=True))
            for label, row in zip(self.labels, self.counts, strict=True)
        ]
        return "\n".join([head, *rows])

    def _by_class(self) -> str:
        names = [_short(label) for label in self.labels]
        wide = max(map(len, names))
        lines = []
        for number, (name, row) in enumerate(zip(names, self.counts, strict=True)):
            wrong = sorted(((n, other) for other, n in enumerate(row) if n and other != number), key=lambda w: -w[0])
            taken = ", ".join(f"{n} {names[other]}" for n, other in wrong)
            lines.append(f"{name:<{wide}}  {row[number]} of {sum(row)}" + (f"; {taken}" if taken else ""))
        return "\n".join(lines)

    def to_png(self) -> bytes:
        """The bytes of a PNG: a row for each class, a column for what it was taken for. The darker a cell, the larger
        its share of the row; what is right is blue, what is wrong orange."""
        cell = max(SMALLEST, min(CELL, SIDE // len(self.labels)))
        gap = 2 if cell >= NAMED else 0
        shorter = [_short(label) for label in self.labels] if cell >= NAMED else []
        font, names = lettering(shorter)
        for number, (name, label) in enumerate(zip(names, shorter, strict=True)):
            if name.count("?") > label.count("?"):  # no font has its letters: its line in the file of labels tells it
                names[number] = f"{name} #{number + 1}"
        left = top = int(max(map(font.getlength, names), default=0)) + 2 * MARGIN
        side, said = cell * len(self.labels), self._said()
        width = max(left + side, MARGIN + int(max(map(font.getlength, said)))) + MARGIN
        pixels = np.full((top + side + 2 * MARGIN + LINE * len(said), width, 3), 255, np.uint8)
        depths = self._depths()
        pixels[top : top + side, left : left + side] = _cells(depths, cell, gap)
        image, draw = drawing(pixels)
        for row, column in np.argwhere(depths) if cell >= NUMBERED else ():
            at = (left + column * cell + (cell - gap) / 2, top + row * cell + (cell - gap) / 2)
            ink = "white" if depths[row, column] > 0.5 else "black"
            draw.text(at, str(self.counts[row][column]), fill=ink, font=font, anchor="mm")
        for number, name in enumerate(names):
            middle = number * cell + (cell - gap) / 2
            draw.text((left - MARGIN / 2, top + middle), name, fill="black", font=font, anchor="rm")
            upright, pen = drawing(np.full((cell, top, 3), 255, np.uint8))
            pen.text((MARGIN / 2, (cell - gap) / 2), name, fill="black", font=font, anchor="lm")
            image.paste(upright.rotate(90, expand=True), (left + number * cell, 0))
        for line, text in enumerate(said):
            draw.text((MARGIN, top + side + MARGIN + line * LINE), text, fill=GREY, font=font, anchor="lt")
        data = io.BytesIO()
        image.save(data, "PNG")
        return data.getvalue()

    def _depths(self) -> Array:
        """How much of its colour each cell has, 0 to 1."""
        counts = np.array(self.counts)
        shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
        return np.where(counts > 0, np.maximum(FAINT, shares), 0)

    def _said(self) -> list[str]:
        """What stands below the picture."""
        right, total = sum(row[i] for i, row in enumerate(self.counts)), sum(map(sum, self.counts))
        share = f", {right / total:.1%} right" if total else ""
        return ["rows: what it is; columns: what it is taken for", f"{total} test pictures{share}"]


def _cells(depths: Array, cell: int, gap: int) -> Array:
    """The table as pixels, uint8 (side, side, 3); the last `gap` rows and columns of each cell are white."""
    full = np.where(np.eye(len(depths), dtype=bool)[..., None], RIGHT, WRONG)
    colours = np.asarray(EMPTY + (full - EMPTY) * depths[..., None], np.uint8)
    pixels = colours.repeat(cell, 0).repeat(cell, 1)
    between = np.arange(len(pixels)) % cell >= cell - gap
    pixels[between] = pixels[:, between] = 255
    return pixels


def _short(label: str) -> str:
    return label if len(label) <= NAME else label[: NAME - 3].rstrip() + "..."
