"""The class activation map shows what speaks for a label."""

from __future__ import annotations

import numpy as np

from ml.attention import activation_map


def test_the_strongest_place_is_1_and_the_half_that_says_nothing_is_0():
    maps = np.zeros((2, 4, 4), np.float32)
    maps[1] = -3.0
    maps[1, 2, 1] = 5.0
    maps[1, 2, 2] = 1.0
    heat = activation_map(maps, labels=("a", "b"), label="b")
    assert heat.shape == (4, 4)
    assert heat[2, 1] == 1.0
    assert heat[2, 2] == 0.5
    assert heat[0, 0] == 0.0


def test_an_even_map_is_cold_everywhere():
    assert not activation_map(np.ones((1, 3, 3), np.float32), labels=("a",), label="a").any()
