import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from mifprofile.cli import main
from mifprofile.synthetic import LOOKS, SynthOptions, synthetic_block


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command line; return exit code, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["mifprofile", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return stop.value.code, printed.out, printed.err

    return run


@pytest.fixture
def fails(call):
    """Run a command line that must end in one line and a non-zero exit."""

    def run(*words):
        code, _, err = call(*words)
        assert code not in (0, None)
        errors = [line for line in err.splitlines() if "error" in line.lower()]
        assert len(errors) == 1, err
        assert "Traceback" not in err
        return errors[0]

    return run


def write_slide(path, **metadata):
    image = np.random.default_rng(0).integers(0, 99, (6, 80, 90)).astype(np.uint16)
    names = ["DAPI", "CD8", "FOXP3", "PDL1", "HER2", "CK"]
    metadata = {"axes": "CYX", "Channel": {"Name": names}} | metadata
    tifffile.imwrite(path, image, metadata=metadata)
    return path


SIZE = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}


def test_help_is_quick_to_import():
    heavy = "{'torch','numpy','pandas','pydantic','zarr','napari','anndata'}"
    code = f"import sys, mifprofile.cli; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawn_regions_are_not_for_tables(fails, panel_path):
    given = ["--from-table", "cells.csv", "--regions", "drawn.geojson"]
    line = fails("landscape", "-o", "OUT", "--panel", panel_path, *given)
    assert "--regions is for slides" in line


def test_help_lists_every_command(call):
    code, out, _ = call("--help")
    assert code == 0
    for word in ("run", "demo", "check", "synth", "segment", "landscape", "report"):
        assert word in out


def test_ready_panels(call, fails, tmp_path):
    code, names, _ = call("panel")
    assert code == 0
    assert "her2-core" in names.split()
    _, text, _ = call("panel", "mouse-her2")
    assert "species: mouse" in text
    assert "did you mean 'her2-core'" in fails("panel", "her2-kore")


def test_gates_of_results_are_collected_for_other_programs(
    call, fails, tmp_path, finished, panel_path
):
    out = tmp_path / "manual_gates.csv"
    words = ("gates", finished.results.folder, "--panel", panel_path, "-o", out)
    code, _, _ = call(*words, "--in-use", "--export", "scimap")
    assert code == 0
    assert out.read_text().splitlines()[0] == "markers,sample"
    assert "--samples" in fails(*words, "--scope", "patient")


def test_neighbourhoods_of_results(call, fails, tmp_path, finished, panel_path):
    words = ("neighbourhoods", finished.results.folder, "--panel", panel_path)
    code, out, _ = call(*words, "-o", tmp_path, "--clusters", 4, "--k", 8)
    assert code == 0
    assert "4 neighbourhoods, fitted on " in out
    assert (tmp_path / "neighbourhood_shares.csv").is_file()
    assert "not a finished result folder" in fails(
        words[0], tmp_path / "none", *words[2:], "-o", tmp_path
    )
    assert "clusters" in fails(*words, "-o", tmp_path, "--clusters", 1)


def test_no_pixel_size(fails, tmp_path, panel_path):
    slide = write_slide(tmp_path / "a.ome.tiff")
    line = fails("run", slide, "--panel", panel_path, "-o", tmp_path / "out")
    assert "--pixel-size" in line
    assert "a.ome.tiff" in line


def test_a_channel_that_is_not_there(fails, tmp_path, panel_path):
    panel = tmp_path / "panel.yaml"
    panel.write_text(panel_path.read_text().replace("channel: PDL1", "channel: PDL-1"))
    slide = write_slide(tmp_path / "a.ome.tiff", **SIZE)
    line = fails("run", slide, "--panel", panel, "-o", tmp_path / "out")
    assert "did you mean 'PDL1'" in line
    assert "DAPI, CD8, FOXP3, PDL1, HER2, CK" in line


def test_a_truncated_tiff(fails, tmp_path, panel_path):
    slide = write_slide(tmp_path / "a.ome.tiff", **SIZE)
    slide.write_bytes(slide.read_bytes()[:-20_000])
    line = fails("run", slide, "--panel", panel_path, "-o", tmp_path / "out")
    assert "a.ome.tiff" in line
    assert "truncated" in line


def test_a_brightfield_slide(fails, tmp_path, panel_path):
    slide = tmp_path / "rgb.tif"
    tifffile.imwrite(slide, np.zeros((40, 50, 3), np.uint8), photometric="rgb")
    line = fails("run", slide, "--panel", panel_path, "-o", tmp_path / "out")
    assert "RGB" in line


def test_an_unknown_key_in_the_panel(fails, tmp_path, panel_path):
    panel = tmp_path / "panel.yaml"
    panel.write_text(panel_path.read_text().replace("states:", "stats:"))
    slide = write_slide(tmp_path / "a.ome.tiff", **SIZE)
    line = fails("run", slide, "--panel", panel, "-o", tmp_path / "out")
    assert "unknown key 'stats'" in line
    assert "did you mean 'states'" in line


def test_an_unknown_key_in_the_config(fails, tmp_path, panel_path):
    config = tmp_path / "config.yaml"
    config.write_text("segment: {rim: 2}\n")
    slide = write_slide(tmp_path / "a.ome.tiff", **SIZE)
    out = tmp_path / "out"
    line = fails("run", slide, "--panel", panel_path, "--config", config, "-o", out)
    assert "'segment.rim'" in line
    assert "rim_um" in line


def test_a_model_that_is_not_there(fails, finished, panel_path, tmp_path):
    out = tmp_path / "sample"
    shutil.copytree(finished.results.folder, out, symlinks=True)
    model = tmp_path / "no.model"
    line = fails("segment", "--panel", panel_path, "-o", out, "--model", model)
    assert "no.model" in line


def test_a_block_that_is_too_small(fails, panel_path, tmp_path):
    words = ("segment", "--panel", panel_path, "-o", tmp_path, "--block-px", 8)
    assert "block_px" in fails(*words)


def test_check_says_what_was_understood(call, synthetic, panel_path):
    code, out, _ = call("check", synthetic.slide, "--panel", panel_path)
    assert code == 0
    assert "OME-TIFF" in out
    assert "DAPI" in out
    assert "0.5" in out


def test_synth_writes_slide_labels_and_truth(call, tmp_path):
    slide = tmp_path / "s.ome.tiff"
    code, out, _ = call("synth", "-o", slide, "--size-mm", 0.1, 0.1, "--seed", 4)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert all((tmp_path / line.split("/")[-1]).exists() for line in out.splitlines())


@pytest.mark.parametrize("look", LOOKS)
def test_synth_has_every_look(call, tmp_path, look):
    slide = tmp_path / "s.ome.tiff"
    options = ("--size-mm", 0.1, 0.1, "--markers", "CD8", "--look", look)
    assert call("synth", "-o", slide, *options)[0] == 0
    drawn = SynthOptions.look(look, size_mm=(0.1, 0.1), markers=("CD8",))
    block = synthetic_block(drawn, 0, 0, *drawn.shape_px)
    np.testing.assert_array_equal(tifffile.imread(slide), block.channels)


@pytest.mark.parametrize("option", ["--exclusions", "--gates", "--nuclei", "--cells"])
def test_a_file_that_is_not_there_is_named(fails, tmp_path, panel_path, option):
    slide = write_slide(tmp_path / "slide.ome.tif", **SIZE)
    missing = tmp_path / "none.file"
    words = ("run", slide, "--panel", panel_path, "-o", tmp_path / "out", "-q")
    assert f"{missing}: no such" in fails(*words, option, missing)


def test_a_slide_of_one_row_has_a_report(call, tmp_path, panel_path):
    names = ["DAPI", "CD8", "FOXP3", "PDL1", "HER2", "CK"]
    metadata = {"axes": "CYX", "Channel": {"Name": names}, **SIZE}
    slide = tmp_path / "row.ome.tif"
    tifffile.imwrite(slide, np.full((6, 1, 90), 9, np.uint16), metadata=metadata)
    out = tmp_path / "out"
    code, _, err = call("run", slide, "--panel", panel_path, "-o", out, "-q")
    assert code == 0, err
    assert (out / "report.html").is_file()
