import sys
from dataclasses import replace

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from mifprofile.cli import main
from mifprofile.core.quality import QualityVerdict
from mifprofile.io.config import override_options
from mifprofile.model import Channel, PixelSize, Slide
from mifprofile.options import QualityOptions
from mifprofile.stages import run_all, run_stage
from mifprofile.stages.planes import coarse_plane
from mifprofile.stages.quality import find_tissue
from mifprofile.stages.verdict import (
    markers_to_decide,
    read_verdict,
    show_verdict,
    too_frequent,
)
from tests.panels import make_panel


def with_methods(job, **methods):
    given = {"phenotype": {"methods": methods}}
    return replace(job, options=override_options(job.options, given, "a test"))


def test_a_finished_sample_has_a_verdict_with_figures(finished):
    facts = finished.results.read_record("phenotype")["facts"]
    assert facts["verdict"]["word"] in {"pass", "review", "fail"}
    assert 15 < facts["nuclei"]["median_um2"] < 120
    assert facts["nuclei"]["unseen_share"] < 0.2


def test_an_undecided_marker_of_a_phenotype_is_the_first_line(copy, capsys):
    run_all(with_methods(copy, CD8="manual"))
    show_verdict(copy.results, "phenotype")
    first, second = capsys.readouterr().err.splitlines()[:2]
    assert first == "verdict: review"
    assert second.startswith("  CD8 is undecided, and tumour, CTL, Treg cannot be told")
    assert f"napari --plugin mifprofile {copy.results.folder}" in second
    assert f"`{copy.results.sample_id},CD8,THRESHOLD`" in second
    page = copy.results.report.read_text(encoding="utf-8")
    assert page.index("Undecided markers") < page.index("Key numbers")
    assert "far above the split" in page
    assert page.index("CD8 is undecided") < page.index("Undecided markers")
    provenance = copy.results.provenance.read_text(encoding="utf-8")
    assert "CD8 is undecided, and" in provenance


def test_an_undecided_state_is_no_reason(copy):
    run_all(with_methods(copy, **{"PD-L1": "manual"}))
    verdict = read_verdict(copy.results, "phenotype")
    assert not any("undecided" in reason for reason in verdict.reasons)
    page = copy.results.report.read_text(encoding="utf-8")
    assert "PD-L1 is undecided" in page
    assert page.index("Undecided markers") < page.index("Key numbers")


def test_a_gate_by_hand_decides(copy, tmp_path):
    table = tmp_path / "gates.csv"
    rows = {"sample": [copy.results.sample_id], "marker": ["CD8"], "threshold": [900.0]}
    pd.DataFrame(rows).to_csv(table, index=False)
    run_stage(replace(with_methods(copy, CD8="manual"), gates=table), "phenotype")
    reasons = read_verdict(copy.results, "phenotype").reasons
    assert not any("undecided" in reason for reason in reasons)


def test_a_subset_rests_on_its_markers():
    panel = make_panel(
        ("CD3", "CD8"),
        phenotypes={"T": {"rule": "CD3+", "subsets": {"CTL": "CD8+"}}},
    )
    gates = pd.DataFrame({"marker": ["CD3", "CD8"], "grade": ["clear", "undecided"]})
    (names,) = markers_to_decide(gates, panel).values()
    assert len(names) == 1
    assert "CTL" in names[0]


@pytest.mark.parametrize(("percent", "of", "said"), [(50.0, 80, 1), (50.0, 8, 0)])
def test_impossible_combinations_count_from_enough_cells_on(percent, of, said):
    panel = make_panel(("CD8", "FOXP3"), impossible=["CD8+/FOXP3+"])
    row = {"combination": "CD8+/FOXP3+", "percent": percent, "of": of}
    assert len(tuple(too_frequent([row], panel))) == said
    assert not tuple(too_frequent([row | {"percent": None}], panel))


@pytest.mark.parametrize("command", ["run", "quality", "phenotype"])
def test_quiet_hides_progress_and_no_verdict(
    command, copy, monkeypatch, capsys, panel_path
):
    words = [str(copy.slide)] if command == "run" else []
    words += ["--panel", str(panel_path), "-o", str(copy.results.folder), "-q"]
    monkeypatch.setattr(sys, "argv", ["mifprofile", command, *words])
    with pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("verdict: ")
    assert all(line.startswith("  ") for line in lines[1:])


def test_what_was_never_judged_has_no_verdict(tmp_path, capsys, copy):
    copy.results.record_path("phenotype").unlink()
    assert read_verdict(copy.results, "phenotype") is None
    show_verdict(copy.results, "phenotype")
    assert capsys.readouterr().err == ""
    assert isinstance(read_verdict(copy.results, "quality"), QualityVerdict)


def test_a_clipped_nuclear_stain_is_tissue_that_is_saturated():
    rng = np.random.default_rng(0)
    pixels = np.full((1, 400, 600), 65535, np.uint16)
    pixels[:, :, 500:] = rng.normal(100, 5, (1, 400, 100))
    slide = Slide(
        "s",
        "s",
        "",
        (Channel("DAPI", 0),),
        PixelSize(0.5, 0.5),
        (da.from_array(pixels),),
    )
    plane, um = coarse_plane(slide, "DAPI", 4.0)
    tissue = find_tissue(plane, um, QualityOptions(), 65535.0)
    assert tissue[:, :62].all()
    assert not tissue[:, 68:].any()
