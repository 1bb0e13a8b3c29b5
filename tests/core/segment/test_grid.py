import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mifprofile.core.segment import plan_blocks


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.integers(1, 70),
    st.integers(0, 9),
)
def test_cores_tile_the_slide_and_halos_stay_on_it(shape, block, halo):
    covered = np.zeros(shape, int)
    for b in plan_blocks(shape, block, halo):
        covered[b.core_slices] += 1
        assert 0 <= b.outer[0] <= b.core[0] < b.core[1] <= b.outer[1] <= shape[0]
        view = np.arange(covered.size).reshape(shape)
        inner = view[b.outer_slices][b.inner_slices]
        assert (inner == view[b.core_slices]).all()
    assert (covered == 1).all()


def test_a_margin_ends_where_the_halo_does():
    first, last = plan_blocks((20, 30), 16, 4)[::3]
    assert first.near(2) == (0, 18, 0, 18)
    assert first.near(9) == first.outer == (0, 20, 0, 20)
    assert last.near(2) == (14, 20, 14, 30)
