from dataclasses import replace

import numpy as np
import pandas as pd

from mifprofile.io.store import open_label_store
from mifprofile.model import Panel
from mifprofile.stages import run_all, run_stage


def touching(labels):
    """Pairs of labels that share a border, as ``cell_a, cell_b``."""
    sides = [(labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])]
    pairs = np.concatenate([np.stack([a[a != b], b[a != b]], 1) for a, b in sides])
    pairs = np.unique(np.sort(pairs[(pairs > 0).all(axis=1)], axis=1), axis=0)
    return pd.DataFrame(pairs, columns=["cell_a", "cell_b"])


def test_a_hierarchy_goes_all_the_way(copy):
    phenotypes = {
        "immune": {"rule": "CK-", "subsets": {"CTL": "CD8+", "Treg": "FOXP3+/CD8-"}},
        "tumour": "CK+/CD8-/FOXP3-",
    }
    content = copy.panel.model_dump() | {"phenotypes": phenotypes}
    for stage in ("phenotype", "landscape", "export"):
        run_stage(replace(copy, panel=Panel.model_validate(content)), stage)
    cells = pd.read_parquet(copy.results.cells)
    assert set(cells["lineage"]) <= {"immune", "tumour", "other", "uncertain"}
    tissue = cells[cells["region"] != "glass"]
    table = pd.read_csv(copy.results.landscape)
    table = table[(table["region"] == "tissue") & (table["metric"] == "count")]
    counts = table.set_index("phenotype")["value"]
    assert counts["immune (all)"] == (tissue["lineage"] == "immune").sum()
    assert counts["immune (all)"] > counts["CTL"] + counts["Treg"] > 0
    assert counts["all"] == len(tissue)
    assert counts.drop(["all", "immune (all)"]).sum() == len(tissue)


def test_conflicts_are_read_from_who_touches_whom(copy, tmp_path):
    labels = np.asarray(open_label_store(copy.results.labels)["cells"].levels[0])
    touching(labels).to_parquet(copy.results.contacts)
    gates = pd.read_csv(copy.results.gates)
    # Far below the gates that were fitted, where light from neighbours is enough.
    low = gates.assign(threshold=gates["threshold"] / 4)
    low.to_csv(tmp_path / "low.csv", index=False)
    run_all(replace(copy, gates=tmp_path / "low.csv"))
    rows = copy.results.read_record("phenotype")["facts"]["impossible"]
    found = {row["combination"]: row for row in rows}["CD8+/CK+"]
    assert found["cells"] > 10
    assert 0 < found["touching_percent"] < 100
    assert 0 < found["expected_percent"] < 100
    assert found["reading"] in copy.results.report.read_text()
    assert found["reading"] not in {"", "too few cells to tell"}
