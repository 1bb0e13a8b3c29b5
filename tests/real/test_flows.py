import pytest

pytest.importorskip("cellpose")

from benchmarks.fields import lung_image, network_output, tissue_image
from benchmarks.speed import agreement, cellpose_masks, our_masks

EDGE_PX = 1024

# torch warns, once per process, of what Cellpose does
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")


@pytest.fixture(scope="module", params=[tissue_image, lung_image])
def output(request, data_dir):
    return network_output(request.param(data_dir, EDGE_PX))


def test_network_flows_give_the_objects_of_cellpose(output):
    half, most = agreement(cellpose_masks(output), our_masks(output))
    assert half >= 0.99
    assert most >= 0.97
