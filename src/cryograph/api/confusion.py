"""Which classes are taken for which: a table of counts, as text and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..base.images import drawing
from ..base.tensors import Array

CELL, MARGIN = 44, 12
DARK, LIGHT = np.array([18, 84, 136]), np.array([247, 250, 252])
"""Colours of a full and of an empty cell."""


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
        wide = max(map(len, self.labels))
        columns = zip(*self.counts, strict=True)
        across = [max(len(label), len(str(max(c)))) for label, c in zip(self.labels, columns, strict=True)]
        head = " " * (wide + 2) + "  ".join(label.rjust(n) for label, n in zip(self.labels, across, strict=True))
        rows = [
            label.ljust(wide + 2) + "  ".join(str(count).rjust(n) for count, n in zip(row, across, strict=True))
            for label, row in zip(self.labels, self.counts, strict=True)
        ]
        return "\n".join([head, *rows])

    def to_png(self) -> bytes:
        """The bytes of a PNG: a row for each class, a column for what it was taken for."""
        image, draw, font = drawing()
        names = [draw.textlength(label, font=font) for label in self.labels]
        left = int(max(names)) + 2 * MARGIN
        size = (left + CELL * len(self.labels) + MARGIN, left + CELL * len(self.labels) + MARGIN)
        image, draw, font = drawing(size)
        for row, (label, counts) in enumerate(zip(self.labels, self.counts, strict=True)):
            y = left + row * CELL
            draw.text((left - MARGIN / 2, y + CELL / 2), label, fill="black", font=font, anchor="rm")
            for column, count in enumerate(counts):
                share = count / max(1, sum(counts))
                colour = tuple(int(v) for v in LIGHT + (DARK - LIGHT) * share)
                x = left + column * CELL
                draw.rectangle((x, y, x + CELL - 2, y + CELL - 2), fill=colour)
                ink = "white" if share > 0.5 else "black"
                if count:
                    draw.text((x + CELL / 2 - 1, y + CELL / 2 - 1), str(count), fill=ink, font=font, anchor="mm")
        for column, label in enumerate(self.labels):
            upright, pen, _ = drawing((left, CELL))
            pen.text((MARGIN / 2, CELL / 2), label, fill="black", font=font, anchor="lm")
            image.paste(upright.rotate(90, expand=True), (left + column * CELL, 0))
        data = io.BytesIO()
        image.save(data, "PNG")
        return data.getvalue()
