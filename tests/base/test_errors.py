"""Errors name what was near."""

from __future__ import annotations

import pytest

from cryograph.base.errors import MissingExtraError, nearest


@pytest.mark.parametrize(
    ("name", "choices", "expected"),
    [
        ("x", [], " There are none."),
        ("x", ["a"], " There is: a."),
        ("x", ["a", "b"], " Choices: a, b."),
        ("softmax", [f"n{i}" for i in range(9)] + ["model/Softmax"], " Nearest: model/Softmax."),
        ("conv_1", [f"n{i}" for i in range(9)] + ["conv1", "conv2"], " Nearest: conv1, conv2."),
        ("zzzz", [f"n{i}" for i in range(9)], " There are 9, none of a name like it."),
    ],
)
def test_the_nearest_names_are_told(name: str, choices: list[str], expected: str) -> None:
    assert nearest(name, choices) == expected


def test_a_missing_package_is_told_with_the_way_to_get_it() -> None:
    assert str(MissingExtraError("Pillow", "images", "Reading pictures")) == (
        "Reading pictures needs Pillow, which is not installed: pip install 'cryograph[images]'"
    )
