"""One field analysed by inForm: its own levels under a gate table of ours.

inForm's phenotypes were made by a trained classifier; no threshold on a marker's mean
gives them back (last test). Two things can be recomputed exactly: from the means and a
gate table, positivity, phenotypes and shares; and from inForm's phenotypes, its own
summary and the PD-L1 share of each.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import landscape_of_areas
from mifprofile.core.phenotype import call_cells, call_positive, marker_levels
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

UM = 0.5
# Marker: (inForm's name of it, compartment, a gate between both populations).
READ = {
    "CK": ("CK (Opal 690)", "cytoplasm", 4.0),
    "CD8": ("CD8 (Opal 540)", "membrane", 3.0),
    "FOXP3": ("FoxP3 (Opal 570)", "nucleus", 1.0),
    "CD68": ("CD68 (Opal 620)", "cell", 0.2),
    "PD-L1": ("PDL1 (Opal 520)", "membrane", 5.0),
}
INFORM = {"cell": "Entire Cell"}
PHENOTYPES = {"CK+": "CK", "CD8+": "CD8", "FoxP3+": "FOXP3", "CD68+": "CD68"}
GATES = {name: gate for name, (_, _, gate) in READ.items()}
PANEL = make_panel(
    {name: f"{channel}/{where}" for name, (channel, where, _) in READ.items()},
    phenotypes={
        "CK+": "CK+/CD68-",
        "FoxP3+": "FOXP3+/CK-",
        "CD8+": "CD8+/FOXP3-",
        "CD68+": "CD68+",
    },
    states=["PD-L1"],
    tumour="CK+",
)
TISSUE = {"Tumor": "tumour", "Stroma": "stroma", "Background": "glass"}


def column(marker):
    channel, compartment, _ = READ[marker]
    return f"{INFORM.get(compartment, compartment.capitalize())} {channel} Mean"


@pytest.fixture(scope="module")
def inform(data_dir):
    return pd.read_csv(data_dir / "lung_inform" / "sample_cell_seg_data.csv.gz")


@pytest.fixture(scope="module")
def summary(data_dir):
    (path,) = (data_dir / "lung_inform").glob("*_summary.txt")
    return pd.read_csv(path, sep="\t")


@pytest.fixture(scope="module")
def levels(inform):
    names = {column(m): f"{m}_{READ[m][1]}_mean" for m in READ}
    return marker_levels(inform.rename(columns=names), PANEL)


def test_positivity_phenotypes_and_shares_are_those_of_plain_pandas(inform, levels):
    calls = call_cells(levels, GATES, PANEL, min_confidence=0.5)
    expected = {m: inform[column(m)] > gate for m, gate in GATES.items()}
    for marker, positive in expected.items():
        assert (calls[f"{marker}_positive"] == positive).all()
    ck, cd8, foxp3, cd68, pdl1 = expected.values()
    names = np.select(
        [ck & ~cd68, foxp3 & ~ck, cd8 & ~foxp3, cd68],
        ["CK+", "FoxP3+", "CD8+", "CD68+"],
        "other",
    )
    assert (calls["phenotype"] == names).all()
    ours = calls.groupby("phenotype", observed=True)["PD-L1_positive"].mean()
    theirs = pdl1.groupby(names).mean()
    assert ours.to_dict() == theirs.to_dict()
    assert len(theirs) == 5


def test_uncertain_cells_are_taken_from_the_others_and_from_no_one_else(levels):
    every = call_cells(levels, GATES, PANEL, min_confidence=0.5)
    calls = call_cells(levels, GATES, PANEL, min_confidence=0.6)
    unsure = every["phenotype_confidence"] < 0.6
    assert (calls["phenotype_best"] == every["phenotype"]).all()
    assert ((calls["phenotype"] == "uncertain") == unsure).all()
    kept = calls.loc[~unsure, "phenotype"].astype(str)
    assert (kept == every.loc[~unsure, "phenotype"].astype(str)).all()


def test_counts_densities_and_pdl1_shares_of_informs_own_phenotypes(
    inform, levels, summary
):
    cells = pd.DataFrame(
        {
            "x_um": inform["Cell X Position"],
            "y_um": inform["Cell Y Position"],
            "region": inform["Tissue Category"].map(TISSUE),
            "phenotype": inform["Phenotype"],
        }
    ).join(call_positive(levels, GATES))
    pixels = summary[summary["Phenotype"] == "All"].set_index("Tissue Category")
    areas_mm2 = {
        TISSUE[name]: pixels.loc[name, "Tissue Category Area (pixels)"] * UM**2 / 1e6
        for name in ("Tumor", "Stroma")
    }
    options = LandscapeOptions(min_area_mm2=0.0)
    table = landscape_of_areas("lung", cells, areas_mm2, PANEL, options)
    keys = ["region", "phenotype", "metric"]
    values = table.set_index(keys).sort_index()["value"]
    for row in summary[summary["Tissue Category"].isin(["Tumor", "Stroma"])].to_dict(
        "records"
    ):
        name = {"All": "all"}.get(row["Phenotype"], row["Phenotype"])
        here = values.loc[TISSUE[row["Tissue Category"]], name]
        assert here["count"] == row["Total Cells"]
        per_megapixel = here["density"] * UM**2
        # The summary's are rounded: one decimal below each phenotype's total, else two.
        assert per_megapixel == pytest.approx(
            row["Cell Density (per megapixel)"], abs=0.051
        )
        mine = inform["Tissue Category"] == row["Tissue Category"]
        if name != "all":
            mine &= inform["Phenotype"] == name
        positive = inform.loc[mine, column("PD-L1")] > GATES["PD-L1"]
        assert here["pct_positive"] == 100 * int(positive.sum()) / len(positive)


def test_informs_phenotypes_are_no_thresholds_on_its_means(inform):
    """In every compartment some cell that it calls other is above one that it names."""
    other = inform["Phenotype"] == "other"
    for name, marker in PHENOTYPES.items():
        mine = inform["Phenotype"] == name
        means = inform[[c for c in inform if READ[marker][0] in c and "Mean" in c]]
        assert means.shape[1] == 4
        assert (means[mine].min() < means[other].max()).all()
