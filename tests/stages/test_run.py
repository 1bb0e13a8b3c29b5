import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile

from mifprofile.core.agreement import match_positions
from mifprofile.errors import MissingError, StorageError, UsageError
from mifprofile.io.config import override_options
from mifprofile.io.readers import open_slide
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.options import STAGES
from mifprofile.stages import Job, run_all, run_stage
from mifprofile.stages.segment import tasks as segment_tasks
from mifprofile.synthetic import SynthOptions


def with_options(job, **sections):
    return replace(job, options=override_options(job.options, sections, "test"))


def finish_times(job):
    return {s: job.results.record_path(s).stat().st_mtime_ns for s in STAGES}


def labels(job, name="cells"):
    return np.asarray(open_label_store(job.results.labels)[name].levels[0])


def test_every_stage_leaves_its_outputs_and_record(finished):
    for stage in STAGES:
        finished.results.require(stage)
        assert finished.results.read_record(stage)["stage"] == stage
    left = {p.name for p in finished.results.folder.iterdir()}
    assert not any("partial" in name or "unfinished" in name for name in left)


def test_cells_are_where_the_truth_has_them(finished, synthetic):
    truth = pd.read_csv(synthetic.table)
    cells = pd.read_parquet(finished.results.cells)
    columns = ["x_um", "y_um"]
    pairs = match_positions(truth[columns].to_numpy(), cells[columns].to_numpy(), 3.0)
    assert pairs.f1 > 0.9
    ours = cells["phenotype"].astype(str).to_numpy()[pairs.found]
    assert (truth["phenotype"].to_numpy()[pairs.known] == ours).mean() > 0.9


def test_a_cell_and_its_nucleus_share_one_id(finished):
    nuclei, cells = labels(finished, "nuclei"), labels(finished, "cells")
    assert (cells[nuclei > 0] == nuclei[nuclei > 0]).all()
    assert set(np.unique(cells)) == set(np.unique(nuclei))
    ids = np.unique(cells)[1:]
    np.testing.assert_array_equal(ids, np.arange(1, ids.size + 1))
    table = pd.read_parquet(finished.results.cells)
    np.testing.assert_array_equal(table["cell_id"], ids)


def test_tables_agree_with_each_other(finished):
    cells = pd.read_parquet(finished.results.cells)
    landscape = pd.read_csv(finished.results.landscape)
    tissue = landscape[
        (landscape["region"] == "tissue") & (landscape["phenotype"] == "CTL")
    ]
    row = tissue[tissue["metric"] == "density"].iloc[0]
    counted = (
        (cells["phenotype"] == "CTL") & ~cells["region"].isin(["glass", "excluded"])
    ).sum()
    assert row["n_num"] == counted
    assert row["value"] == pytest.approx(counted / row["area_mm2"])
    outlines = json.loads(finished.results.cells.with_suffix(".geojson").read_text())
    assert len(outlines["features"]) == len(cells)


def test_every_metric_is_explained_beside_the_landscape(finished):
    metrics = pd.read_csv(finished.results.landscape)["metric"]
    explained = pd.read_csv(finished.results.dictionary)["name"]
    assert set(metrics) == set(explained)


def test_a_second_run_does_nothing(copy):
    before = finish_times(copy)
    run_all(copy)
    assert finish_times(copy) == before


def test_only_what_depends_on_a_change_runs_again(copy):
    before = finish_times(copy)
    run_all(with_options(copy, phenotype={"min_share": 0.01}))
    after = finish_times(copy)
    changed = [s for s in STAGES if after[s] != before[s]]
    assert changed == ["phenotype", "landscape", "export", "report"]


def test_the_order_of_phenotypes_counts(copy):
    before = finish_times(copy)
    turned = dict(reversed(copy.panel.phenotypes.items()))
    panel = copy.panel.model_copy(update={"phenotypes": turned})
    run_stage(replace(copy, panel=panel), "phenotype")
    assert finish_times(copy)["phenotype"] != before["phenotype"]


def test_another_block_size_is_no_change(copy):
    before = finish_times(copy)
    run_all(with_options(copy, segment={"block_px": 512}))
    assert finish_times(copy) == before


def test_an_output_that_is_gone_is_made_again(copy):
    copy.results.gates.unlink()
    run_all(copy)
    assert copy.results.gates.exists()


def test_gates_by_hand_replace_the_automatic_ones(copy, tmp_path):
    table = tmp_path / "gates.csv"
    table.write_text("marker,threshold\nCD8,1e9\n")
    run_stage(replace(copy, gates=table), "phenotype")
    gates = pd.read_csv(copy.results.gates).set_index("marker")
    assert gates.loc["CD8", "threshold"] == 1e9
    assert gates.loc["CD8", "method"] == "manual"
    assert gates.loc["CK", "method"] == "evidence"
    calls = pd.read_parquet(copy.results.phenotypes)
    assert not (calls["phenotype"] == "CTL").any()


def test_a_gate_for_an_unknown_marker_is_refused(copy, tmp_path):
    table = tmp_path / "gates.csv"
    table.write_text("marker,threshold\nCD88,5\n")
    with pytest.raises(UsageError, match="did you mean 'CD8'"):
        run_stage(replace(copy, gates=table), "phenotype")


def test_the_folder_of_another_slide_is_refused(copy, tmp_path):
    options = SynthOptions(size_mm=(0.1, 0.1), seed=8)
    other = write_synthetic_slide(tmp_path / "other.ome.tiff", options)
    with pytest.raises(UsageError, match=r"slide\.ome\.tiff, not other\.ome\.tiff"):
        run_all(replace(copy, slide=other.slide))


def test_a_stage_without_the_one_before_says_what_to_run(tmp_path, demo_panel):
    job = Job(Results(tmp_path / "none"), demo_panel, quiet=True)
    with pytest.raises(MissingError, match="mifprofile ingest"):
        run_stage(job, "quality")


def test_a_killed_stage_leaves_nothing_that_looks_whole(copy, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    before = labels(copy)
    monkeypatch.setattr(segment_tasks, "_numbered", killed)
    with pytest.raises(KeyboardInterrupt):
        run_stage(copy, "segment", force=True)
    monkeypatch.undo()
    assert copy.results.read_record("segment") is None
    run_all(copy)
    np.testing.assert_array_equal(labels(copy), before)


def test_a_full_disk_is_one_line(copy, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segment_tasks, "_numbered", full)
    with pytest.raises(StorageError, match="the disk is full"):
        run_stage(copy, "segment", force=True)


def test_an_empty_slide_finishes_with_states(tmp_path, demo_panel):
    rng = np.random.default_rng(0)
    noise = rng.normal(300, 15, (6, 400, 380)).clip(0).astype(np.uint16)
    names = ["DAPI", "CD8", "FOXP3", "PDL1", "HER2", "CK"]
    path = tmp_path / "empty.ome.tiff"
    tifffile.imwrite(
        path,
        noise,
        metadata={
            "axes": "CYX",
            "Channel": {"Name": names},
            "PhysicalSizeX": 0.5,
            "PhysicalSizeY": 0.5,
        },
    )
    job = Job(Results(tmp_path / "out"), demo_panel, slide=path, quiet=True)
    run_all(job)
    landscape = pd.read_csv(job.results.landscape, keep_default_na=False)
    unknown = landscape[landscape["value"] == ""]
    assert (unknown["status"] != "OK").all()
    assert (unknown["reason"] != "").all()
    assert len(pd.read_parquet(job.results.cells)) == 0
    assert "nan" not in job.results.report.read_text().lower().split()


def test_masks_made_elsewhere_enter_at_measure(tmp_path, synthetic, demo_panel):
    truth = tifffile.imread(synthetic.labels)
    paths = {}
    for name, mask in zip(("nuclei", "cells"), truth, strict=False):
        paths[name] = tmp_path / f"{name}.tif"
        tifffile.imwrite(paths[name], mask)
    job = Job(
        Results(tmp_path / "out"),
        demo_panel,
        slide=synthetic.slide,
        quiet=True,
        **paths,
    )
    for stage in STAGES[: STAGES.index("report")]:
        run_stage(job, stage)
    cells = pd.read_parquet(job.results.cells)
    assert len(cells) == np.unique(truth[1]).size - 1
    assert job.results.read_record("segment")["facts"]["model"] == "masks"


def test_a_mask_of_another_size_is_refused(tmp_path, copy):
    mask = tmp_path / "mask.tif"
    tifffile.imwrite(mask, np.ones((20, 30), np.uint16))
    with pytest.raises(UsageError, match="20 x 30 px"):
        run_stage(replace(copy, cells=mask), "segment")


def test_a_current_store_is_used_where_it_lies(tmp_path, finished, demo_panel):
    slide = finished.results.slide
    job = Job(Results(tmp_path / "out"), demo_panel, slide=slide, quiet=True)
    run_stage(job, "ingest")
    assert job.results.slide.is_symlink()
    assert job.results.slide.resolve() == slide.resolve()
    assert open_slide(job.results.slide).channel_names[0] == "DAPI"
