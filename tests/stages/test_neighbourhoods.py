import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mifprofile.errors import MissingError, UsageError
from mifprofile.io.config import override_options
from mifprofile.io.results import Results, write_json
from mifprofile.io.tables import read_parquet, write_table
from mifprofile.options import Options
from mifprofile.stages.neighbourhoods import NeighbourhoodsJob, neighbourhoods

# Phenotypes of the cells left, in the middle and right.
SIDES = (["tumour"], ["tumour", "CTL"], ["CTL"])
SIDE_UM = 400.0


def tissue(rng, cells):
    """Cells in three squares side by side, and some in excluded tissue."""
    x = rng.uniform(0, 3 * SIDE_UM, cells)
    side = (x // SIDE_UM).astype(int)
    return pd.DataFrame(
        {
            "cell_id": np.arange(1, cells + 1, dtype=np.uint32),
            "x_um": x,
            "y_um": rng.uniform(0, SIDE_UM, cells),
            "phenotype": [rng.choice(SIDES[s]) for s in side],
            "region": np.where(
                rng.random(cells) < 0.05,
                "excluded",
                np.array(["tumour", "stroma", "outside"])[side],
            ),
        }
    )


def finish(folder, cells, panel):
    """Write what the stage reads of a finished folder."""
    results = Results(folder)
    write_table(cells, results.cells)
    write_json({"panel": panel.model_dump(mode="json")}, results.provenance)


@pytest.fixture
def cohort(tmp_path, panel_path, demo_panel):
    """Three samples, the last without a cell on evaluable tissue."""
    rng = np.random.default_rng(0)
    for name, cells in (("A", 3000), ("B", 900), ("C", 10)):
        table = tissue(rng, cells)
        if name == "C":
            table["region"] = "excluded"
        finish(tmp_path / name, table, demo_panel)
    chosen = {"neighbourhoods": {"clusters": 3, "max_cells": 800}}
    return NeighbourhoodsJob(
        folders=tuple(tmp_path / name for name in "ABC"),
        out=tmp_path / "out",
        panel=panel_path,
        options=override_options(Options(), chosen, "test"),
    )


def test_planted_surroundings_are_found_in_all_samples(cohort):
    summary = neighbourhoods(cohort)
    for folder in cohort.folders[:2]:
        cells = read_parquet(folder / "cells.parquet")
        found = read_parquet(cohort.out / f"{folder.name}.parquet")
        seen = cells[cells["region"] != "excluded"].reset_index(drop=True)
        assert found["cell_id"].tolist() == seen["cell_id"].tolist()
        within = (seen["x_um"] % SIDE_UM).between(50, SIDE_UM - 50)
        table = pd.crosstab(seen["region"][within], found["neighbourhood"][within])
        # Ten cells of a mixture may all look alike by chance.
        assert (table.max(axis=1) / table.sum(axis=1) > 0.8).all()
        kinds = table.idxmax(axis=1)
        assert sorted(kinds) == [1, 2, 3]
    makeup = pd.read_csv(cohort.out / "neighbourhoods.csv")
    share = makeup.pivot(index="neighbourhood", columns="phenotype", values="share")
    assert share.loc[kinds["tumour"], "tumour"] > 0.9
    assert share.loc[kinds["outside"], "CTL"] > 0.9
    assert share.loc[kinds["stroma"], "CTL"] == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(share.sum(axis=1), 1)
    record = json.loads((cohort.out / "neighbourhoods.json").read_text())
    assert record["cells_fitted"] == {"A": 800, "B": 800, "C": 0}
    assert record["seed_ari"] > 0.9
    assert f"silhouette {record['silhouette']:.2f}" in summary
    assert "\n" not in summary


def test_shares_add_up_to_the_cells_of_the_tables(cohort):
    neighbourhoods(cohort)
    shares = pd.read_csv(cohort.out / "neighbourhood_shares.csv")
    whole = shares[shares["region"] == "tissue"]
    for name, mine in whole.groupby("sample_id"):
        kinds = read_parquet(cohort.out / f"{name}.parquet")["neighbourhood"]
        assert mine["n_num"].tolist() == [int((kinds == k).sum()) for k in (1, 2, 3)]
        assert (mine["n_den"] == len(kinds)).all()
    assert shares.loc[shares["sample_id"] == "C", "value"].isna().all()
    assert set(shares.loc[shares["sample_id"] == "C", "status"]) == {"LOW_N"}


def test_order_of_the_folders_does_not_matter(cohort, tmp_path):
    neighbourhoods(cohort)
    turned = replace(cohort, folders=cohort.folders[::-1], out=tmp_path / "turned")
    neighbourhoods(turned)
    written = sorted(path.name for path in cohort.out.iterdir())
    assert written == sorted(path.name for path in turned.out.iterdir())
    for name in written:
        assert (cohort.out / name).read_bytes() == (turned.out / name).read_bytes()


def test_a_folder_that_is_not_finished_is_named(cohort):
    Results(cohort.folders[1]).provenance.unlink()
    with pytest.raises(MissingError, match=r"B/provenance\.json.* to the end first"):
        neighbourhoods(cohort)


def test_samples_of_another_panel_are_refused(cohort, demo_panel):
    few = dict(list(demo_panel.phenotypes.items())[:-1])
    other = demo_panel.model_copy(update={"phenotypes": few})
    finish(cohort.folders[1], tissue(np.random.default_rng(0), 50), other)
    with pytest.raises(UsageError, match="B: its cells were named by other phenotypes"):
        neighbourhoods(cohort)


def test_a_phenotype_that_the_panel_lacks_is_named(cohort, demo_panel):
    cells = tissue(np.random.default_rng(0), 50).replace("CTL", "T cell")
    finish(cohort.folders[1], cells, demo_panel)
    with pytest.raises(UsageError, match="'T cell' is not in the panel"):
        neighbourhoods(cohort)


def test_fewer_cells_than_neighbourhoods(cohort):
    with pytest.raises(UsageError, match="3 neighbourhoods asked of 0 cells"):
        neighbourhoods(replace(cohort, folders=cohort.folders[2:]))


def test_two_folders_of_one_name(cohort):
    with pytest.raises(UsageError, match="same name"):
        neighbourhoods(replace(cohort, folders=cohort.folders[:1] * 2))
