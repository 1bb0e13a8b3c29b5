import numpy as np
from hypothesis import given

from mifprofile.testing import label_images


@given(label_images(max_size_px=20, max_objects=5))
def test_label_images_count_without_gaps(labels):
    assert labels.dtype == np.int32
    assert max(labels.shape) <= 20
    used = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(used, np.arange(1, used.size + 1))
