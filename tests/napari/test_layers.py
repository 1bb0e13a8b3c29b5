import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from mifprofile import open_results
from mifprofile.errors import MissingError
from mifprofile.napari._layers import ORIGIN, cell_values, read_layers
from mifprofile.napari._reader import NOTHING, get_reader, read
from mifprofile.viewer import phenotype_colours
from tests.panels import make_panel

PANEL = make_panel(("CK", "CD8"), phenotypes={"tumour": "CK+", "CTL": "CD8+"})


@pytest.fixture
def layers(finished):
    made = [
        Layer.create(*data) for data in read_layers(finished.results.folder.resolve())
    ]
    model = ViewerModel()
    model.layers.extend(made)
    return model.layers


def test_values_are_unique_and_tell_the_phenotype():
    cells = pd.DataFrame(
        {"cell_id": [1, 2, 4], "phenotype": ["CTL", "other", "tumour"]}
    )
    values = cell_values(cells, PANEL)
    # Four answers: tumour, CTL, other, uncertain.
    np.testing.assert_array_equal(values, [0, 1 * 4 + 2, 2 * 4 + 3, 0, 4 * 4 + 1])
    np.testing.assert_array_equal((values[[1, 2, 4]] - 1) % 4, [1, 2, 0])


def test_no_cells_have_no_values():
    empty = pd.DataFrame({"cell_id": [], "phenotype": []})
    np.testing.assert_array_equal(cell_values(empty, PANEL), [0])


def test_layers_are_named_for_markers_and_lie_in_um(layers, finished):
    names = [layer.name for layer in layers]
    assert names == [
        *("DAPI", "CD8", "FOXP3", "PD-L1", "HER2", "CK"),
        *("regions", "nuclei", "cells"),
    ]
    extents = np.array([layer.extent.world[1] for layer in layers])
    np.testing.assert_allclose(
        extents, np.broadcast_to(extents[0], extents.shape), atol=2
    )
    assert {str(unit) for layer in layers for unit in layer.units} == {"micrometer"}


def test_cells_have_the_colour_of_their_phenotype(layers, finished):
    cells = pd.read_parquet(finished.results.cells)
    colours = phenotype_colours(finished.panel)
    layer = layers["cells"]
    ids = layer.metadata[ORIGIN].painted.look_up(cells["cell_id"].to_numpy())
    shown = layer.colormap.map(ids)[:, :3] * 255
    expected = [colours[name] for name in cells["phenotype"].astype(str)]
    np.testing.assert_allclose(shown, expected, atol=0.5)


def test_the_cell_under_the_pointer_is_named(layers, finished):
    cell = pd.read_parquet(finished.results.cells).iloc[0]
    status = layers["cells"].get_status((cell["y_um"], cell["x_um"]), world=True)
    assert f"cell_id: {cell['cell_id']}" in status["value"]
    assert f"phenotype: {cell['phenotype']}" in status["value"]


def test_only_result_folders_are_offered(finished, tmp_path):
    folder = finished.results.folder
    assert get_reader(str(folder)) is read
    assert get_reader(str(folder / "provenance.json")) is read
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(folder / "slide.zarr")) is None
    assert get_reader([str(folder), str(folder)]) is None


def test_an_unfinished_folder_is_one_notification(copy, monkeypatch):
    copy.results.provenance.unlink()
    said = []
    monkeypatch.setattr("mifprofile.napari._reader.show_error", said.append)
    assert read(str(copy.results.folder)) == NOTHING
    assert len(said) == 1
    assert "not a finished result folder" in said[0]
    with pytest.raises(MissingError):
        open_results(copy.results.folder)
