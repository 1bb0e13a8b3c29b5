from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.errors import FormatError
from mifprofile.io.readers import open_slide
from mifprofile.io.store import write_slide_store

XML = """<?xml version="1.0" encoding="utf-16"?>
<PerkinElmer-QPI-ImageDescription>
  <DescriptionVersion>2</DescriptionVersion>
  <ImageType>{kind}</ImageType>
  {body}
</PerkinElmer-QPI-ImageDescription>"""
SCAN = """<ScanProfile><root><Name>profile</Name><ScanResolution>
  <PixelSizeMicrons>0.5</PixelSizeMicrons></ScanResolution></root></ScanProfile>"""
DATA = np.random.default_rng(2).integers(0, 60_000, (3, 200, 300)).astype("uint16")
PATIENT = np.full((40, 30, 3), 77, "uint8")
MEASURED = {"resolution": (20_139.58, 20_139.58), "resolutionunit": "CENTIMETER"}


def describe(kind, body=""):
    return XML.format(kind=kind, body=body)


def page(tif, data, kind, body="", **options):
    options = {"metadata": None, "software": "PerkinElmer-QPI", **options}
    options.setdefault("photometric", "rgb" if data.ndim == 3 else "minisblack")
    tif.write(data, description=describe(kind, body).encode(), **options)


def write_qptiff(path, names, *, scan="", pyramid=False, **options):
    with tifffile.TiffWriter(path) as tif:
        for plane, name in zip(DATA, names, strict=True):
            page(tif, plane, "FullResolution", name + scan, **options)
        page(tif, PATIENT, "Thumbnail", **options)
        if pyramid:
            for step in (2, 4):
                for plane, name in zip(DATA, names, strict=True):
                    page(
                        tif, plane[::step, ::step], "ReducedResolution", name, **options
                    )
        for kind in ("Overview", "Label", "Macro"):
            page(tif, PATIENT, kind, **options)
    return path


BIOMARKERS = [
    "<Name>DAPI</Name><Biomarker>DAPI</Biomarker>",
    "<Name>Opal 520</Name><Biomarker>CD8 µ</Biomarker>",
    "<Name>Opal 570</Name><Biomarker> </Biomarker>",
]


@pytest.fixture(scope="module")
def qptiff(tmp_path_factory):
    path = tmp_path_factory.mktemp("akoya") / "slide.qptiff"
    options = {"tile": (64, 64), "compression": "lzw", **MEASURED}
    return write_qptiff(path, BIOMARKERS, scan=SCAN, pyramid=True, **options)


@given(c=st.integers(0, 2), y=st.integers(0, 199), x=st.integers(0, 299))
@settings(deadline=None, max_examples=25)
def test_a_region_is_that_region_of_the_whole(qptiff, c, y, x):
    level = open_slide(qptiff).levels[0]
    np.testing.assert_array_equal(level[c, y:, :x].compute(), DATA[c, y:, :x])


def test_names_are_biomarkers_else_names(qptiff):
    slide = open_slide(qptiff)
    assert slide.file_format == "QPTIFF"
    assert slide.channel_names == ("DAPI", "CD8 µ", "Opal 570")


def test_the_pyramid_is_found_between_the_pictures(qptiff):
    levels = open_slide(qptiff).levels
    for level, step in zip(levels, (1, 2, 4), strict=True):
        np.testing.assert_array_equal(level.compute(), DATA[:, ::step, ::step])


def test_the_measured_pixel_size_comes_before_the_nominal(qptiff, tmp_path):
    assert open_slide(qptiff).um == pytest.approx(0.49653, abs=1e-5)
    nominal = write_qptiff(tmp_path / "a.qptiff", BIOMARKERS, scan=SCAN)
    assert open_slide(nominal).um == 0.5
    unknown = write_qptiff(tmp_path / "b.qptiff", BIOMARKERS)
    assert open_slide(unknown).pixel_size is None


def test_pictures_of_the_slide_are_never_read(qptiff, tmp_path, monkeypatch):
    with tifffile.TiffFile(qptiff) as tif:
        pictures = {p.dataoffsets[0] for p in tif.pages if p.shape == PATIENT.shape}
    assert len(pictures) == 4
    offsets, pread = [], os.pread

    def spy(file, count, offset):
        offsets.append(offset)
        return pread(file, count, offset)

    monkeypatch.setattr("os.pread", spy)
    write_slide_store(open_slide(qptiff), tmp_path / "slide.zarr")
    assert offsets
    assert pictures.isdisjoint(offsets)


def test_no_plane_at_full_resolution(tmp_path):
    path = tmp_path / "a.qptiff"
    with tifffile.TiffWriter(path) as tif:
        page(tif, PATIENT, "Label")
    with pytest.raises(FormatError, match=r"a\.qptiff: no full-resolution"):
        open_slide(path)


def test_brightfield_is_refused(tmp_path):
    path = tmp_path / "a.qptiff"
    with tifffile.TiffWriter(path) as tif:
        page(tif, np.zeros((90, 80, 3), "uint8"), "FullResolution")
        page(tif, PATIENT, "Label")
    with pytest.raises(FormatError, match="colour"):
        open_slide(path)


def test_damaged_xml_is_refused(tmp_path):
    path = write_qptiff(tmp_path / "a.qptiff", BIOMARKERS)
    path.write_bytes(path.read_bytes().replace(b"</ImageType>", b"</ImageTypo>"))
    with pytest.raises(FormatError, match="XML of page 0"):
        open_slide(path)


COMPONENTS = DATA.astype("float32") / 7
COMPONENT_NAMES = ["PDL1 (Opal 520)", "CD8 (Opal 540)", "Autofluorescence"]
FIELD = "Set4_1-6plex_[16142,55840]_component_data.tif"


def write_inform(path, *, position=None, unit="CENTIMETER"):
    options = {"resolution": (20_000, 20_000), "resolutionunit": unit}
    if position is not None:
        x, y = (round(value * 1000) for value in position)
        options["extratags"] = [
            (286, 5, 1, (x, 1000), True),
            (287, 5, 1, (y, 1000), True),
        ]
    with tifffile.TiffWriter(path) as tif:
        for plane, name in zip(COMPONENTS, COMPONENT_NAMES, strict=True):
            page(tif, plane, "FullResolution", f"<Name>{name}</Name>", **options)
        composite = np.zeros((200, 300, 3), "uint8")
        page(tif, composite, "FullResolution", "<Name>Composite</Name>", **options)
        page(tif, PATIENT, "Thumbnail", **options)
    return path


def test_components(tmp_path):
    slide = open_slide(write_inform(tmp_path / FIELD))
    assert slide.file_format == "inForm component"
    assert slide.channel_names == tuple(COMPONENT_NAMES)
    assert slide.um == 0.5
    assert slide.levels[0].dtype == np.float32
    np.testing.assert_array_equal(slide.levels[0].compute(), COMPONENTS)


def test_origin_of_a_field_from_its_tags(tmp_path):
    path = write_inform(tmp_path / FIELD, position=(1.567, 5.514))
    assert open_slide(path).origin_um == pytest.approx((15_670.0, 55_140.0))


def test_origin_of_a_field_from_its_name(tmp_path):
    path = write_inform(tmp_path / FIELD)
    assert open_slide(path).origin_um == pytest.approx((16_142 - 75.0, 55_840 - 50.0))
    bare = write_inform(tmp_path / "field_component_data.tif")
    assert open_slide(bare).origin_um == (0.0, 0.0)


def test_a_resolution_in_inches_is_no_pixel_size(tmp_path):
    path = write_inform(tmp_path / FIELD, unit="INCH")
    assert open_slide(path).pixel_size is None
    assert open_slide(path, pixel_size_um=0.5).um == 0.5
