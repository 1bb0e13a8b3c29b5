from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.options import STAGES
from mifprofile.synthetic import SynthOptions

if TYPE_CHECKING:
    from .conftest import Batch

SAMPLES = ("A", "B")


def test_two_slides_run_through_every_stage(batch: Batch):
    for seed, name in enumerate(SAMPLES):
        slide = batch.folder / "my slides" / f"{name}.ome.tiff"
        options = SynthOptions(size_mm=(0.2, 0.2), seed=seed, glass_margin_um=10)
        write_synthetic_slide(slide, options)

    batch.snakemake("--cores", "2")

    for name in SAMPLES:
        results = batch.results(name)
        assert set(results.records()) == set(STAGES)
        assert len(pd.read_parquet(results.cells)) > 80
        assert set(pd.read_csv(results.landscape)["sample_id"]) == {name}
    assert batch.planned() == {}
    runs_again_although_its_record_is_there(batch)
    segments_nothing_again_for_another_limit_of_quality(batch)


def runs_again_although_its_record_is_there(batch: Batch) -> None:
    """Snakemake has removed the outputs, so the stage must not say 'up to date'."""
    batch.edit("config/config.yaml", "min_cells: 50 ", "min_cells: 40 ")
    batch.snakemake("results/A/gates.csv")
    results = batch.results("A")
    record = results.read_record("phenotype")
    assert record is not None
    assert record["options"]["min_cells"] == 40
    log = results.folder / "logs" / "phenotype.log"
    assert "phenotype: done" in log.read_text()


def segments_nothing_again_for_another_limit_of_quality(batch: Batch) -> None:
    batch.edit("config/config.yaml", "focus_limit: 0.7", "focus_limit: 0.5")
    batch.snakemake("--cores", "2")
    logs = batch.results("A").folder / "logs"
    assert "quality: done" in (logs / "quality.log").read_text()
    assert "segment: up to date" in (logs / "segment.log").read_text()
    batch.results("A").require("segment")
    assert batch.planned() == {}
