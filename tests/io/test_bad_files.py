from __future__ import annotations

import logging

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mifprofile.errors import FormatError, MifprofileError, MissingError, StorageError
from mifprofile.io.readers import open_slide

DATA = np.random.default_rng(4).integers(0, 900, (3, 100, 120)).astype("uint16")
WRITERS = {
    "tiled": {"ome": True, "tile": (32, 32), "compression": "zlib"},
    "strips": {"rowsperstrip": 9, "compression": "lzw"},
    "raw": {"ome": True},
    "ImageJ": {"imagej": True},
}
in_one_folder = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write(kind, path):
    options = {"metadata": {"axes": "CYX"}, "photometric": "minisblack"}
    tifffile.imwrite(path, DATA, **options, **WRITERS[kind])
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {kind: write(kind, folder / f"{kind}.tif").read_bytes() for kind in WRITERS}


def read_all(path):
    return open_slide(path).levels[0].compute(scheduler="synchronous")


def one_line(message):
    return "\n" not in message and len(message) < 500


def test_no_such_file(tmp_path):
    with pytest.raises(MissingError, match=r"none\.tif: no such file"):
        open_slide(tmp_path / "none.tif")


@pytest.mark.parametrize("content", [b"", b"II", b"\x89PNG\r\n", b"some text\n" * 99])
def test_not_a_tiff(tmp_path, content):
    path = tmp_path / "slide.tif"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"slide\.tif: ") as caught:
        open_slide(path)
    assert one_line(str(caught.value))


@pytest.mark.parametrize("kind", WRITERS)
@given(part=st.floats(0.0, 0.999))
@in_one_folder
def test_a_file_cut_anywhere_is_refused(tmp_path, whole, kind, part):
    content = whole[kind]
    path = tmp_path / "cut.tif"
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(FormatError, match=r"cut\.tif: ") as caught:
        read_all(path)
    assert one_line(str(caught.value))


@pytest.mark.parametrize("kind", WRITERS)
@given(place=st.floats(0.0, 1.0), value=st.integers(0, 255), data=st.data())
@in_one_folder
def test_a_wrong_byte_never_ends_in_a_traceback(
    tmp_path, whole, kind, place, value, data
):
    content = bytearray(whole[kind])
    # Half of the bytes are drawn from the header, where they do most harm.
    size = 600 if data.draw(st.booleans()) else len(content) - 1
    content[int(place * size)] = value
    path = tmp_path / "flipped.tif"
    path.write_bytes(content)
    said = ""
    try:
        read_all(path)
    except MifprofileError as error:
        said = str(error)
    assert one_line(said)


def test_a_cut_file_is_noticed_before_any_pixel_is_read(tmp_path, whole):
    path = tmp_path / "cut.ome.tif"
    path.write_bytes(whole["tiled"][:-100])
    with pytest.raises(FormatError, match="cut off"):
        open_slide(path)


def test_damaged_pixels_are_refused_when_they_are_read(tmp_path, whole):
    path = tmp_path / "a.ome.tif"
    content = bytearray(whole["tiled"])
    with tifffile.TiffFile(write("tiled", tmp_path / "whole.tif")) as tif:
        page = tif.pages[1].aspage()
        start, size = page.dataoffsets[0], page.databytecounts[0]
    content[start : start + size] = bytes(size)
    path.write_bytes(content)
    level = open_slide(path).levels[0]
    np.testing.assert_array_equal(level[0].compute(), DATA[0])
    with pytest.raises(FormatError, match=rf"byte {start} are damaged"):
        level[1].compute()


def test_an_unknown_compression_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DATA[0], compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["Compression"].overwrite(34_888)
    with pytest.raises(FormatError, match=r"a\.tif: .*compression"):
        open_slide(path)


def test_a_file_that_vanishes_is_the_disks_fault(tmp_path):
    path = write("tiled", tmp_path / "whole.tif")
    level = open_slide(path).levels[0]
    path.unlink()
    with pytest.raises(StorageError, match=r"whole\.tif: cannot be read"):
        level[0].compute()


def test_tifffile_is_silent_only_here(tmp_path, whole, caplog):
    path = tmp_path / "cut.tif"
    path.write_bytes(whole["tiled"][:3000])
    with caplog.at_level(logging.DEBUG), pytest.raises(FormatError):
        open_slide(path)
    assert not caplog.records
    logging.getLogger("tifffile").warning("someone else's")
    assert caplog.messages == ["someone else's"]
