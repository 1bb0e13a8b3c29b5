import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mifprofile.core.quality import scan_cells, structure


def test_cells_read_by_eye():
    pixels = np.array(
        [[1, 9, 0, 0, 5], [9, 2, 0, 0, 5], [3, 3, 7, 1, 5]],
        np.float32,
    )
    found = scan_cells(pixels, 2)
    assert found.maximum.tolist() == [[9, 0, 5], [3, 7, 5]]
    assert found.at_maximum.tolist() == [[2, 4, 2], [2, 1, 1]]
    # 1 - 9 - 9 + 2 = -15; the last row and column hold no square of four pixels.
    np.testing.assert_equal(found.noise_square, [[225, 0, np.nan], [np.nan] * 3])


def test_noise_is_measured_on_a_slope():
    rng = np.random.default_rng(0)
    slope = np.add.outer(3.0 * np.arange(256), 5.0 * np.arange(256))
    found = scan_cells((slope + rng.normal(0, 4, slope.shape)).astype(np.float32), 8)
    assert np.sqrt(found.noise_square.mean()) / 2 == pytest.approx(4, rel=0.03)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_blocks_give_what_the_whole_gives(height, width, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 50, (height, width)).astype(np.float32)
    whole = scan_cells(pixels, 4)
    squares = structure(pixels, 16, 1)
    for y in range(0, height, 32):
        for x in range(0, width, 32):
            block = np.ascontiguousarray(pixels[y : y + 32, x : x + 32])
            for all_of_it, part in zip(whole, scan_cells(block, 4), strict=True):
                here = all_of_it[y // 4 :, x // 4 :][: part.shape[0], : part.shape[1]]
                np.testing.assert_array_equal(here, part)
            part = structure(block, 16, 1)
            here = squares[:, y // 16 :, x // 16 :]
            here = here[:, : part.shape[1], : part.shape[2]]
            np.testing.assert_array_equal(here, part)


def test_structure_of_stripes():
    pixels = np.tile(np.float32([0, 6]), (16, 8))
    squares = structure(pixels, 16, 1)[:, 0, 0]
    # Across the stripes every lag of one differs by 6, along them none; 240 pairs each.
    assert squares.tolist() == [18, 0, 0]
