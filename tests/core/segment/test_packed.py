import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mifprofile.core.segment import (
    no_output,
    pack_cells,
    pack_output,
    unpack_cells,
    unpack_output,
)

OUTPUTS = st.floats(-9, 9, width=32)


@settings(deadline=None)
@given(arrays(np.float32, (6, 2, 3), elements=OUTPUTS))
def test_output_comes_back_within_half_a_step(output):
    packed = pack_output(output)
    assert packed.shape == (2, 3, 2, 3)
    back = unpack_output(packed).reshape(6, 2, 3)
    clipped = output.copy()
    for plane in (0, 1, 3, 4):
        clipped[plane] = clipped[plane].clip(-1, 1)
    for plane in (2, 5):
        clipped[plane] = clipped[plane].clip(-127 / 16, 127 / 16)
    half_steps = np.array([0.5 / 127, 0.5 / 127, 0.5 / 16] * 2)[:, None, None]
    assert (abs(back - clipped) <= half_steps + 1e-6).all()


def test_nothing_is_no_object():
    flow_y, flow_x, logit = unpack_output(no_output(1, 2, 3))[0]
    assert not flow_y.any()
    assert not flow_x.any()
    assert (logit < -7).all()


def test_cells_and_nuclei_get_their_numbers():
    nuclei = np.array([[0, 1, 0, 0], [0, 0, 0, 2]], np.int32)
    cells = np.array([[1, 1, 0, 2], [1, 0, 2, 2]], np.int32)
    packed = pack_cells(nuclei, cells)
    assert packed.dtype == np.uint16
    assert packed.tolist() == [[2, 3, 0, 4], [2, 0, 4, 5]]
    numbered = unpack_cells(packed, np.array([0, 70_000, 0], np.uint32))
    assert [plane.tolist() for plane in numbered] == [
        [[0, 70_000, 0, 0], [0, 0, 0, 0]],
        [[70_000, 70_000, 0, 0], [70_000, 0, 0, 0]],
    ]


def test_many_cells_need_wider_numbers():
    cells = np.array([[32_767, 32_768]], np.int32)
    assert pack_cells(cells[:, :1], cells[:, :1]).dtype == np.uint16
    packed = pack_cells(cells, cells)
    assert packed.dtype == np.uint32
    numbers = np.arange(32_769, dtype=np.uint32)
    nuclei, found = unpack_cells(packed, numbers)
    assert nuclei.tolist() == found.tolist() == cells.tolist()
