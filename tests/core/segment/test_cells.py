import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.segmentation import expand_labels

from mifprofile.core.segment import expand_nuclei

GROWTH = {"um": 1.0, "rim_um": 1.0, "expansion_um": 4.0, "membrane_stop": 0.5}


def two_nuclei():
    nuclei = np.zeros((5, 12), np.int32)
    nuclei[2, 3], nuclei[2, 8] = 1, 2
    return nuclei


def test_without_membrane_only_the_rim_grows():
    expected = [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0],
        [0, 0, 1, 1, 1, 0, 0, 2, 2, 2, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert expand_nuclei(two_nuclei(), None, **GROWTH).tolist() == expected


def test_growth_follows_the_membrane_and_stops_behind_it():
    membrane = np.zeros((5, 12), np.float32)
    membrane[2, 9:12] = [0.4, 1.0, 0.3]
    cells = expand_nuclei(two_nuclei(), membrane, **GROWTH)
    assert cells[2].tolist() == [0, 0, 1, 1, 1, 0, 0, 2, 2, 2, 2, 0]


def test_growth_ends_at_the_longest_expansion():
    cells = expand_nuclei(two_nuclei(), np.ones((5, 12), np.float32), **GROWTH)
    assert cells[2].tolist() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    one = np.zeros((1, 12), np.int32)
    one[0, 2] = 1
    grown = expand_nuclei(one, np.ones((1, 12), np.float32), **GROWTH)
    assert grown.tolist() == [[1] * 7 + [0] * 5]


def test_lengths_are_in_um():
    coarse = expand_nuclei(two_nuclei(), None, **(GROWTH | {"um": 0.5}))
    assert coarse[2].tolist() == [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0]


@given(arrays(np.int32, (8, 9), elements=st.sampled_from([0, 0, 0, 1, 2])))
def test_the_rim_covers_what_skimage_expands(nuclei):
    cells = expand_nuclei(nuclei, None, **(GROWTH | {"rim_um": 2.0}))
    assert ((cells > 0) == (expand_labels(nuclei, 2) > 0)).all()
    assert (cells[nuclei > 0] == nuclei[nuclei > 0]).all()


def grown_by_hand(nuclei, membrane, reach_px, rim_px, stop):
    """Each step every free pixel asks its neighbours, as the docstring says."""
    cells, shape = nuclei.copy(), nuclei.shape
    way = dict.fromkeys(np.ndindex(shape), (0, 0))
    peak = dict.fromkeys(way, np.float32(0))
    for _ in range(int(np.ceil(reach_px))):
        joined = {}
        for y, x in zip(*np.nonzero(cells == 0), strict=True):
            best = None
            for v in range(max(y - 1, 0), min(y + 2, shape[0])):
                for u in range(max(x - 1, 0), min(x + 2, shape[1])):
                    if not cells[v, u]:
                        continue
                    dy, dx = way[v, u][0] + y - v, way[v, u][1] + x - u
                    far, signal = dy * dy + dx * dx, membrane[y, x]
                    faint = signal < 0.25 or signal < stop * peak[v, u]
                    if far > reach_px**2 or (far > rim_px**2 and faint):
                        continue
                    found = far, cells[v, u], v, u, (dy, dx)
                    best = found if best is None else min(best, found)
            if best is not None:
                joined[y, x] = best
        for at, (_, owner, v, u, path) in joined.items():
            cells[at], way[at] = owner, path
            peak[at] = max(peak[v, u], membrane[at])
    return cells


SIGNALS = st.sampled_from(np.float32([0, 0.2, 0.3, 0.6, 1.0]))


@settings(deadline=None, max_examples=150)
@given(
    arrays(np.int32, (9, 11), elements=st.sampled_from([0] * 9 + [1, 2, 3])),
    arrays(np.float32, (9, 11), elements=SIGNALS),
)
def test_growth_is_as_described(nuclei, membrane):
    cells = expand_nuclei(nuclei, membrane, **GROWTH)
    wanted = grown_by_hand(nuclei, membrane, 4.0, 1.0, 0.5)
    np.testing.assert_array_equal(cells, wanted)
