"""A field analysed by inForm, against inForm's own summary of it."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mifprofile.io.results import Results
from mifprofile.options import IngestOptions, Options
from mifprofile.stages import Job, run_all
from tests.panels import make_panel

UM = 0.5
PANEL = make_panel(
    {
        "PD-L1": "PDL1/membrane",
        "CD8": "CD8/membrane",
        "FOXP3": "FoxP3/nucleus",
        "CD68": "CD68/cytoplasm",
        "CK": "CK/cytoplasm",
    },
    phenotypes={
        "tumour": "CK+",
        "CTL": "CD8+",
        "Treg": "FOXP3+",
        "macrophage": "CD68+",
    },
    tumour="tumour",
)
OURS = {
    "CK+": "tumour",
    "CD8+": "CTL",
    "FoxP3+": "Treg",
    "CD68+": "macrophage",
    "other": "other",
    "All": "all",
}
REGIONS = {"Tumor": "tumour", "Stroma": "stroma", "All": "tissue"}


@pytest.fixture(scope="module")
def made(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = data_dir / "lung_inform"
    out = tmp_path_factory.mktemp("lung") / "out"
    options = Options(ingest=IngestOptions(pixel_size_um=UM))
    (summary,) = folder.glob("*summary.txt")
    files = {"table": folder / "sample_cell_seg_data.csv.gz", "areas": summary}
    run_all(Job(Results(out), PANEL, options, quiet=True, **files))
    return pd.read_csv(out / "landscape.csv")


def test_densities_equal_the_summary_of_the_field(
    data_dir: Path, made: pd.DataFrame
) -> None:
    (path,) = (data_dir / "lung_inform").glob("*summary.txt")
    summary = pd.read_csv(path, sep="\t")
    summary = summary[summary["Tissue Category"].isin(REGIONS)]
    densities = made[made["metric"] == "density"].set_index(["region", "phenotype"])
    for _, row in summary.iterrows():
        key = REGIONS[row["Tissue Category"]], OURS[row["Phenotype"]]
        found = densities.loc[key]
        assert found["n_num"] == row["Total Cells"]
        pixels = row["Tissue Category Area (pixels)"]
        assert found["area_mm2"] == pytest.approx(pixels * UM**2 / 1e6, rel=1e-12)
        # The summary has three digits or more, and a megapixel is a quarter of a mm².
        per_megapixel = found["value"] * UM**2
        stated = row["Cell Density (per megapixel)"]
        assert per_megapixel == pytest.approx(stated, abs=0.05)
    assert len(summary) == 18
    assert densities.loc[("tumour", "CTL"), "value"] == pytest.approx(
        168.8015, abs=1e-4
    )


def test_nearest_distances_equal_a_search_of_all_pairs(
    data_dir: Path, made: pd.DataFrame
) -> None:
    cells = pd.read_csv(data_dir / "lung_inform" / "sample_cell_seg_data.csv.gz")
    phenotypes = cells["Phenotype"].map(OURS)
    # Its areas are in square microns, so its positions are in microns.
    at_um = cells[["Cell X Position", "Cell Y Position"]].to_numpy(float)
    medians = made[made["metric"] == "nn_median_um"]
    medians = medians.set_index(["phenotype", "phenotype_b"])["value"]
    for a, b in product(PANEL.phenotypes, repeat=2):
        ours, theirs = at_um[phenotypes == a], at_um[phenotypes == b]
        apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
        if a == b:
            np.fill_diagonal(apart, np.inf)
        expected = np.median(apart.min(axis=1))
        assert medians.loc[(a, b)] == pytest.approx(expected, rel=1e-12)


def test_nothing_is_infinite_or_missing_without_a_reason(made: pd.DataFrame) -> None:
    assert not np.isinf(made["value"]).any()
    silent = made["value"].isna() & (
        made["status"].isin(["OK"]) | made["reason"].isna()
    )
    assert not silent.any()
