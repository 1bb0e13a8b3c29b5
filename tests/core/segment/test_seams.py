import numpy as np

from mifprofile.core.segment import Seam, block_seams, plan_blocks


def counted(labels, first_px, every_px, block_px=100):
    labels = np.array(labels, np.uint32)
    total = Seam(0, 0)
    for block in plan_blocks(labels.shape, block_px, 1):
        window = labels[block.outer_slices]
        total += block_seams(
            window, block, first_px=first_px, every_px=every_px, straight_px=3
        )
    return total


def test_a_cell_cut_along_a_line_is_seen():
    labels = [
        [0, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    # once on the row, once on the column that runs through it
    assert counted(labels, 2, 10) == Seam(1 + 1, 1)
    assert counted(labels, 1, 10) == Seam(2, 0)


def test_two_halves_of_a_cell_are_both_cut():
    labels = [[1] * 4, [1] * 4, [2] * 4, [2] * 4]
    assert counted(labels, 2, 10) == Seam(2 + 2, 2)


def test_a_short_edge_is_no_cut():
    labels = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert counted(labels, 2, 10).straight == 0


def test_columns_count_as_rows_do():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 9, (6, 6)), np.ones((5, 5), int))
    assert counted(labels, 10, 10) == counted(labels.T, 10, 10)


def test_every_line_is_looked_at_once_whatever_the_block():
    rng = np.random.default_rng(1)
    labels = np.kron(rng.permutation(64).reshape(8, 8), np.ones((5, 5), int))
    whole = counted(labels, 5, 10)
    assert whole.cells > 20
    pieces = counted(labels, 5, 10, block_px=7)
    # a piece of a line may be too short, and a cell on two pieces counts twice
    assert pieces.cells >= whole.cells
    assert counted(labels, 5, 10, block_px=40) == whole


def test_share():
    assert Seam(4, 1).share == 0.25
    assert np.isnan(Seam(0, 0).share)
