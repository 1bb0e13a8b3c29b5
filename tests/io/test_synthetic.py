import weakref

import numpy as np
import pandas as pd
import pytest
import tifffile

from mifprofile.io import synthetic
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.synthetic import SynthOptions, synthetic_block, synthetic_truth

OPTIONS = SynthOptions(size_mm=(0.7, 0.53), seed=4, fold_count=1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    return write_synthetic_slide(folder / "slide.ome.tiff", OPTIONS)


@pytest.fixture(scope="module")
def block():
    return synthetic_block(OPTIONS, 0, 0, *OPTIONS.shape_px)


def test_slide_holds_every_pixel(files, block):
    np.testing.assert_array_equal(tifffile.imread(files.slide), block.channels)


def test_lower_levels_are_means(files, block):
    with tifffile.TiffFile(files.slide) as tiff:
        (series,) = tiff.series
        assert [level.shape for level in series.levels] == [
            (6, 1060, 1400),
            (6, 530, 700),
        ]
        assert series.axes == "CYX"
        half = series.levels[1].asarray()
    mean = block.channels.reshape(6, 530, 2, 700, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(half, mean, atol=0.51)


def test_metadata_names_channels_and_pixel_size(files):
    with tifffile.TiffFile(files.slide) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert tiff.pages[0].tags["XResolution"].value == (20000, 1)
        assert "DateTime" not in tiff.pages[0].tags
    assert pixels["PhysicalSizeX"] == pixels["PhysicalSizeY"] == 0.5
    names = [channel["Name"] for channel in pixels["Channel"]]
    assert tuple(names) == OPTIONS.channel_names


def test_labels_and_table_are_the_truth(files, block):
    nuclei, cells, regions = tifffile.imread(files.labels)
    np.testing.assert_array_equal(nuclei, block.nuclei)
    np.testing.assert_array_equal(cells, block.cells)
    np.testing.assert_array_equal(regions, block.regions)
    table = pd.read_csv(files.table)
    pd.testing.assert_frame_equal(
        table, synthetic_truth(OPTIONS), check_dtype=False, atol=1e-4
    )


def test_same_seed_gives_the_same_bytes(files, tmp_path):
    again = write_synthetic_slide(tmp_path / "again.ome.tiff", OPTIONS)
    for name in ("slide", "labels", "table"):
        one, two = getattr(files, name), getattr(again, name)
        assert one.read_bytes() == two.read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


def test_one_block_at_a_time_is_alive(monkeypatch, tmp_path):
    alive = weakref.WeakSet()
    most = []

    class Counted:
        def __init__(self, height, width):
            self.channels = np.zeros((6, height, width), np.uint16)
            self.nuclei = self.cells = np.zeros((height, width), np.uint32)
            self.regions = np.zeros((height, width), np.uint8)

    def counted_block(options, y0, x0, h, w):
        block = Counted(h, w)
        alive.add(block)
        most.append(len(alive))
        return block

    monkeypatch.setattr(synthetic, "synthetic_block", counted_block)
    options = SynthOptions(size_mm=(1.5, 1.1), glass_margin_um=5000)
    write_synthetic_slide(tmp_path / "large.ome.tiff", options)
    assert len(most) == 9
    assert max(most) == 1


def test_odd_sizes_survive(tmp_path):
    options = SynthOptions(size_mm=(0.6105, 0.0335), markers=("CD8",))
    files = write_synthetic_slide(tmp_path / "odd.tif", options)
    assert files.labels.name == "odd_truth.ome.tiff"
    with tifffile.TiffFile(files.slide) as tiff:
        assert [level.shape[1:] for level in tiff.series[0].levels] == [
            (67, 1221),
            (34, 611),
        ]
        assert tiff.series[0].levels[1].asarray().min() > 0
