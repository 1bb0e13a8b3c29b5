import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.cell_tables import read_areas_mm2, read_cell_table
from tests.panels import make_panel

PANEL = make_panel(
    {"CD8": "CD8a/membrane", "PD-L1": "PDL1/membrane", "FOXP3": "FOXP3/nucleus"},
    name="four",
    phenotypes={"CTL": "CD8+", "Treg": "FOXP3+"},
)
INFORM = (
    "Sample Name\tTissue Category\tPhenotype\tCell ID\tCell X Position\t"
    "Cell Y Position\tEntire Cell Area ({unit})\tEntire Cell Area (percent)\t"
    "Membrane CD8 (Opal 540) Mean (Normalized Counts, Total Weighting)\t"
    "Nucleus FoxP3 (Opal 570) Mean (Normalized Counts, Total Weighting)\tLab ID\n"
    "a.im3\tTumor\tCD8+\t11\t100\t7{d}5\t200\t0{d}01\t4{d}25\t0{d}5\tL1\n"
    "a.im3\tStroma\t\t25\t300\t8{d}5\t400\t0{d}02\t1{d}5\t#N/A\tL1\n"
)


def write(folder: Path, text: str, name: str = "cells.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_inform_in_pixels_is_never_taken_for_micrometres(tmp_path: Path) -> None:
    path = write(tmp_path, INFORM.format(unit="pixels", d="."))
    with pytest.raises(UsageError, match=r"cells.txt.*in pixels.*--pixel-size"):
        read_cell_table(path, PANEL)
    cells = read_cell_table(path, PANEL, 0.5).cells
    assert list(cells["x_um"]) == [50, 150]
    assert list(cells["y_um"]) == [3.75, 4.25]
    assert list(cells["area_um2"]) == [50, 100]


@pytest.mark.parametrize("decimal", [".", ","])
def test_inform_in_microns(tmp_path: Path, decimal: str) -> None:
    path = write(tmp_path, INFORM.format(unit="square microns", d=decimal))
    read = read_cell_table(path, PANEL, 0.5)
    cells = read.cells
    assert read.program == "inForm"
    assert list(cells["x_um"]) == [100, 300]
    assert list(cells["y_um"]) == [7.5, 8.5]
    assert list(cells["area_um2"]) == [200, 400]
    assert list(cells["CD8_membrane_mean"]) == [4.25, 1.5]
    np.testing.assert_array_equal(cells["FOXP3_nucleus_mean"], [0.5, np.nan])
    assert list(cells["phenotype_given"]) == ["CD8+", ""]
    assert list(cells["region_given"]) == ["Tumor", "Stroma"]
    assert list(cells["Lab ID"]) == ["L1", "L1"]
    assert read.lacking == ("PD-L1 (membrane)",)


def test_inform_without_a_unit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "Cell X Position\tCell Y Position\n1\t2\n")
    with pytest.raises(FormatError, match="pixels cannot be told from microns"):
        read_cell_table(path, PANEL)


def test_qupath_with_added_intensities(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Image\tObject ID\tClass\tParent\tCentroid X µm\tCentroid Y µm\t"
        "Nucleus: Area µm^2\tCell: Area µm^2\tCD8a: Membrane: Mean\t"
        "FOXP3: Nucleus: Mean\tPDL1: Membrane: Max\n"
        "s\tu1\tCD8: PD-L1\tTumor\t10.5\t20.5\t30\t60\t900\t5\t7\n",
    )
    read = read_cell_table(path, PANEL)
    row = read.cells.iloc[0]
    assert read.program == "QuPath"
    assert (row["x_um"], row["y_um"]) == (10.5, 20.5)
    assert (row["nucleus_area_um2"], row["area_um2"]) == (30, 60)
    assert (row["CD8_membrane_mean"], row["FOXP3_nucleus_mean"]) == (900, 5)
    assert row["phenotype_given"] == "CD8: PD-L1"
    assert row["PDL1: Membrane: Max"] == 7


def test_qupath_by_its_own_detection_in_pixels(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Image,Name,Centroid X px,Centroid Y px,Nucleus: FOXP3 mean\ns,Tumor,8,16,3\n",
        "cells.csv",
    )
    cells = read_cell_table(path, PANEL, 0.25).cells
    assert (cells["x_um"][0], cells["y_um"][0]) == (2, 4)
    assert cells["FOXP3_nucleus_mean"][0] == 3


def test_halo(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Image Location,Object Id,XMin,XMax,YMin,YMax,Classifier Label,"
        "CD8 (Opal 540) Positive Classification,CD8 (Opal 540) Cell Intensity,"
        "FOXP3 Positive,Cell Area (µm²)\n"
        "a.tif,0,10,20,30,50,Stroma,1,4.5,0,80\n",
        "halo.csv",
    )
    read = read_cell_table(path, PANEL, 0.5)
    row = read.cells.iloc[0]
    assert read.program == "HALO"
    assert (row["x_um"], row["y_um"], row["area_um2"]) == (7.5, 20, 80)
    assert row["CD8_positive"]
    assert not row["FOXP3_positive"]
    assert row["CD8_cell_mean"] == 4.5
    assert read.lacking == ("PD-L1 (membrane)", "phenotype")


def test_our_own_table(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "cell_id": [7],
            "x_um": [1.0],
            "y_um": [2.0],
            "phenotype": ["CTL"],
            "CD8_positive": [True],
            "note": ["x"],
        }
    )
    table.to_parquet(tmp_path / "cells.parquet")
    read = read_cell_table(tmp_path / "cells.parquet", PANEL)
    assert read.program == "mifprofile"
    assert list(read.cells["phenotype_given"]) == ["CTL"]
    assert read.cells["CD8_positive"].dtype == bool
    assert list(read.cells["note"]) == ["x"]


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("x_um,y_um\n1,2\n")
    assert read_cell_table(path, PANEL).cells["y_um"][0] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "neither inForm, QuPath, HALO nor mifprofile"),
        ("x_um,y_um\n1,two\n", "column 'y_um' holds 'two', no number, in line 2"),
        ("x_um,y_um\n1,2\n,3\n", "the cell in line 3 has no position"),
        ("", "not a table of text"),
        ('x_um,y_um\n"1,2\n', "not a table of text"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FormatError, match=rf"cells\.txt: .*{message}"):
        read_cell_table(path, PANEL)


def test_missing_table(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such table"):
        read_cell_table(tmp_path / "none.csv", PANEL)


SUMMARY = (
    "Sample Name\tTissue Category\tPhenotype\tTissue Category Area ({unit})\n"
    "a\tTumor\tCD8+\t4000\na\tTumor\tAll\t4000\na\tStroma\tAll\t8000\n"
    "b\tTumor\tAll\t2000\na\tAll\tAll\t14000\n"
)


def test_areas_of_a_summary_in_pixels(tmp_path: Path) -> None:
    path = write(tmp_path, SUMMARY.format(unit="pixels"))
    with pytest.raises(UsageError, match="--pixel-size"):
        read_areas_mm2(path)
    assert read_areas_mm2(path, 0.5) == {"Stroma": 0.002, "Tumor": 0.0015}


def test_areas_of_a_summary_in_microns(tmp_path: Path) -> None:
    path = write(tmp_path, SUMMARY.format(unit="square microns"))
    assert read_areas_mm2(path) == {"Stroma": 0.008, "Tumor": 0.006}


def test_areas_of_a_plain_table(tmp_path: Path) -> None:
    path = write(tmp_path, "region,area_mm2\ntumour,1.5\nstroma,2\n", "areas.csv")
    assert read_areas_mm2(path) == {"stroma": 2, "tumour": 1.5}


def test_no_areas_in_a_table(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no areas in it"):
        read_areas_mm2(write(tmp_path, "a,b\n1,2\n"))
