from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from mifprofile.errors import FormatError, MifprofileError, MissingError, UsageError
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.panels import demo_panel_path
from mifprofile.stages.check import check_config, check_slide
from mifprofile.synthetic import SynthOptions

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "sample_id\tpatient_id\tspecies\tarm\ttimepoint\tslide\tpanel\tbatch"


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slide") / "S.ome.tiff"
    return write_synthetic_slide(path, SynthOptions(size_mm=(0.3, 0.2))).slide


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    path = tmp_path / "panel.yaml"
    with demo_panel_path() as demo:
        path.write_text(demo.read_text())
    return path


@pytest.fixture
def sheet(tmp_path: Path, slide: Path, panel: Path) -> Path:
    path = tmp_path / "samples.tsv"
    row = ["A", "P1", "human", "demo", "baseline", str(slide), str(panel), "1"]
    path.write_text(HEADER + "\n" + "\t".join(row) + "\n")
    return path


@pytest.fixture
def config(tmp_path: Path, sheet: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"samples: {sheet}\nresults: results\n")
    return path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_slide_is_described(slide: Path, panel: Path):
    said = check_slide(slide, panel, None)
    for part in (
        "OME-TIFF",
        "600 x 400 px, 0.30 x 0.20 mm",
        "0.5 µm, from the file",
        "DAPI, CD8, FOXP3, PDL1, HER2, CK",
        "of 0.06 mm²",
        "cells ",
        "memory ",
        "time ",
    ):
        assert part in said


def test_what_the_panel_can_answer(slide: Path, panel: Path):
    replace(panel, "measure: nucleus", "measure: membrane")
    lines = check_slide(slide, panel, None).splitlines()
    assert "  yes       tumour nests and stroma" in lines
    assert "  no        proliferation: the panel has no Ki67" in lines
    assert "beware      FOXP3 is read in the membrane; FOXP3 is in the nucleus" in lines


def test_without_a_panel_the_channels_are_listed(slide: Path):
    said = check_slide(slide, None, 0.325)
    assert "0.325 µm, as given" in said
    assert "panel" not in said


def test_an_unusual_pixel_size_is_pointed_out(slide: Path):
    assert "unusual" in check_slide(slide, None, 5.0)


def test_tissue_is_told_from_glass(tmp_path: Path, panel: Path):
    options = SynthOptions(size_mm=(0.8, 0.8), glass_margin_um=150)
    slide = write_synthetic_slide(tmp_path / "S.ome.tiff", options).slide
    line = next(
        line
        for line in check_slide(slide, panel, None).splitlines()
        if line.startswith("tissue")
    )
    assert 0.15 < float(line.split()[2]) < 0.5


def test_missing_channels_are_named_and_the_rest_is_shown(
    slide: Path, panel: Path, capsys: pytest.CaptureFixture[str]
):
    replace(panel, "channel: PDL1", "channel: PD-L1")
    replace(panel, "channel: FOXP3", "channel: Foxp3")
    with pytest.raises(UsageError, match=r"'Foxp3' \(did you mean 'FOXP3'") as error:
        check_slide(slide, panel, None)
    shown = capsys.readouterr().err
    assert "no channel 'PD-L1' (did you mean 'PDL1'?)" in shown
    assert "missing (did you mean 'FOXP3'?)" in shown
    assert "(and 1 more" in str(error.value)


@pytest.mark.parametrize(
    ("name", "kind"), [("absent.tiff", MissingError), ("text.tiff", FormatError)]
)
def test_what_cannot_be_opened_is_refused(
    tmp_path: Path, name: str, kind: type[Exception]
):
    (tmp_path / "text.tiff").write_text("no image")
    with pytest.raises(kind, match=name):
        check_slide(tmp_path / name, None, None)


def test_a_good_config_has_a_line_per_sample(config: Path):
    (line,) = check_config(config).splitlines()
    assert line == "A: ok, OME-TIFF, 600 x 400 px, 0.30 x 0.20 mm, panel demo"


def test_drawn_areas_and_nests_are_checked(
    config: Path, sheet: Path, panel: Path, tmp_path: Path
):
    drawn = tmp_path / "drawn.geojson"
    header, row = sheet.read_text().splitlines()
    sheet.write_text(f"{header}\tregions\n{row}\t{drawn}\n")
    with pytest.raises(UsageError, match="no such file of drawn areas"):
        check_config(config)
    drawn.write_text("[]")
    assert check_config(config).startswith("A: ok")
    config.write_text(config.read_text() + "landscape: {nests: marker}\n")
    assert check_config(config).startswith("A: ok")
    replace(panel, "tumour: tumour\n", "")
    with pytest.raises(UsageError, match="needs a tumour phenotype"):
        check_config(config)


def test_every_problem_is_listed(
    config: Path, sheet: Path, panel: Path, capsys: pytest.CaptureFixture[str]
):
    config.write_text(config.read_text() + "segment: {model: absent.pt}\n")
    text = sheet.read_text()
    row = text.splitlines()[1].split("\t")
    no_slide = ["B", *row[1:5], "absent.tiff", *row[6:]]
    wrong_species = ["C", "P2", "mouse", *row[3:]]
    sheet.write_text(
        text + "".join("\t".join(r) + "\n" for r in (no_slide, wrong_species))
    )
    with pytest.raises(UsageError, match=r"segment\.model.*absent\.pt") as error:
        check_config(config)
    shown = capsys.readouterr().err
    assert "(and 2 more, listed above)" in str(error.value)
    assert "A: ok" in shown
    assert "B: 1 problem" in shown
    assert "B: absent.tiff: no such file" in shown
    assert f"C: {panel}: a panel for human, but the sample sheet says mouse" in shown


@pytest.mark.parametrize("key", ["samples", "results"])
def test_the_workflow_keys_are_required(config: Path, key: str):
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith(key)))
    with pytest.raises(UsageError, match=f"{key}: give a path"):
        check_config(config)


def test_a_pixel_size_in_the_sheet_stands_in_for_the_file(
    config: Path, sheet: Path, tmp_path: Path
):
    bare = tmp_path / "bare.tiff"
    tifffile.imwrite(bare, np.zeros((6, 32, 32), np.uint16), photometric="minisblack")
    names = "[DAPI, CD8, FOXP3, PDL1, HER2, CK]"
    replace(tmp_path / "panel.yaml", "nucleus:", f"channels: {names}\nnucleus:")
    row = sheet.read_text().splitlines()[1].split("\t")
    row[5] = str(bare)
    without = "\t".join(row)
    sheet.write_text(f"{HEADER}\n{without}\n")
    with pytest.raises(UsageError, match="does not say its pixel size"):
        check_config(config)
    sheet.write_text(f"{HEADER}\tpixel_size_um\n{without}\t0.5\n")
    assert "0.02 x 0.02 mm" in check_config(config)


def test_a_correction_that_cannot_be_made_is_found(config: Path):
    text = "measure: {correct: {autofluorescence: AF}}\n"
    config.write_text(config.read_text() + text)
    with pytest.raises(UsageError, match=r"A: .*no channel 'AF'"):
        check_config(config)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("phenotype: {methods: {CD9: otsu}}", r"A: .*'CD9' .*did you mean 'CD8'"),
        ("phenotype: {negatives: {CD8: CK+, CK: CD8+}}", "A: .*rest on each other"),
        ("phenotype: {method: control, control: absent}", r"A: absent/.*missing"),
        ("measure: {pixel_thresholds: {HER3: 9}}", r"A: .*did you mean 'HER2'"),
        ("gates: {scope: patient, lock_to: week1}", r"no sample at timepoint 'week1'"),
    ],
)
def test_gates_that_cannot_be_found_are_told_before(
    config: Path, options: str, says: str
):
    config.write_text(f"{config.read_text()}{options}\n")
    with pytest.raises(MifprofileError, match=says):
        check_config(config)
