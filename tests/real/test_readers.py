from __future__ import annotations

import numpy as np
import pytest
import tifffile

from mifprofile.io.readers import open_slide, read_label_image
from mifprofile.io.store import write_slide_store

FILES = {
    "breast_b09/breast_b09.ome.tif": (
        "OME-TIFF",
        ("DAPI", "PDL1", "GZMB", "PD1", "CK-EPCAM", "CD8a", "FOXP3"),
        None,
    ),
    "codex_tile/R001_X003_Y004.ome.tif": (
        "OME-TIFF",
        (
            "nucleus",
            "cytoplasm",
            "membrane",
            "CH_7",
            "CH_11",
            "CH_19",
            "CH_20",
            "CH_24",
        ),
        0.37745,
    ),
    "tonsil_5ch/input.tiff": ("TIFF", tuple(f"Channel:{i}" for i in range(5)), None),
    "vectra_qptiff/small_vectra.qptiff": ("QPTIFF", ("DAPI", "FITC", "Cy3"), 0.4965),
}


@pytest.mark.parametrize("file", FILES)
def test_facts_and_pixels(data_dir, file):
    file_format, names, um = FILES[file]
    slide = open_slide(data_dir / file)
    assert slide.file_format == file_format
    assert slide.channel_names == names
    if um is None:
        assert slide.pixel_size is None
    else:
        assert slide.um == pytest.approx(um, abs=5e-5)
    whole = tifffile.imread(data_dir / file, series=0)
    np.testing.assert_array_equal(slide.levels[0].compute(), whole)


@pytest.mark.parametrize("file", FILES)
def test_a_store_holds_the_same(data_dir, tmp_path, file):
    slide = open_slide(data_dir / file)
    write_slide_store(slide, tmp_path / "slide.zarr")
    copy = open_slide(tmp_path / "slide.zarr")
    assert copy.channel_names == slide.channel_names
    assert copy.pixel_size == slide.pixel_size
    whole = slide.levels[0].compute()
    np.testing.assert_array_equal(copy.levels[0].compute(), whole)


def test_pictures_of_the_glass_are_not_exposed(data_dir):
    slide = open_slide(data_dir / "vectra_qptiff/small_vectra.qptiff")
    assert [level.shape for level in slide.levels] == [(3, 1440, 1920)]


def test_names_for_a_file_without_names(data_dir):
    names = ("DAPI", "CD4", "CD8", "FOXP3", "BCL6")
    slide = open_slide(
        data_dir / "tonsil_5ch/input.tiff", pixel_size_um=0.5, channel_names=names
    )
    assert slide.channel_names == names
    assert slide.um == 0.5


def test_a_mask_of_64_bit_numbers(data_dir):
    mask = read_label_image(data_dir / "tonsil_5ch/crop_segmentation.tiff")
    assert mask.shape == (101, 101)
    assert np.unique(mask[mask > 0]).size == 56
