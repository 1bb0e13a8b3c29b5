import numpy as np
import pandas as pd

from mifprofile.core.maps import at_grid, pixel_of_cells

PLANE = np.array([[1, 2], [3, 4]], np.uint8)


def test_a_finer_grid_repeats_and_a_coarser_one_takes_the_middle():
    fine = at_grid(PLANE, 2.0, (4, 4), 1.0)
    np.testing.assert_array_equal(fine, PLANE.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(at_grid(fine, 1.0, (2, 2), 2.0), PLANE)
    assert fine.dtype == PLANE.dtype


def test_beyond_the_end_the_last_pixels_count():
    np.testing.assert_array_equal(at_grid(PLANE, 1.0, (2, 3), 1.0)[:, 2], [2, 4])


def test_cells_on_the_rim_are_kept():
    cells = pd.DataFrame({"x_um": [0.0, 3.9, 4.0], "y_um": [0.0, 0.0, 9.0]})
    rows, columns = pixel_of_cells(cells, (2, 2), 2.0)
    assert (rows.tolist(), columns.tolist()) == ([0, 0, 1], [0, 1, 1])
