from dataclasses import replace

import pytest

from mifprofile.core.phenotype.conflict_rates import judge_rate
from mifprofile.report.findings import find
from tests.panels import make_panel


@pytest.mark.parametrize(
    ("combination", "percent", "of", "word"),
    [
        ("CD8+/PanCK+", 3.0, 100, "ok"),
        ("CD8+/PanCK+", 3.1, 100, "warn"),
        ("CD8+/PanCK+", 10.1, 100, "fail"),
        ("FOXP3+/PanCK+", 5.1, 100, "fail"),
        ("CD8+/FOXP3+/PanCK-", 8.1, 100, "fail"),
        ("CD8+/PanCK+", 50.0, 20, "too few cells"),
        ("CD8+/PanCK+", float("nan"), 0, "too few cells"),
    ],
)
def test_rates_are_judged_by_the_limits_of_their_markers(
    combination, percent, of, word
):
    panel = make_panel(("CD8", "FOXP3", "PanCK"))
    assert judge_rate(combination, percent, of, panel).word == word


@pytest.mark.parametrize("keratin", ["CK", "PanCK", "pan-cytokeratin", "CK8", "KRT8"])
def test_all_keratins_share_their_limits(keratin):
    verdict = judge_rate(f"FOXP3+/{keratin}+", 0.0, 100, make_panel(("FOXP3", keratin)))
    assert (verdict.warn, verdict.fail) == (2.0, 5.0)


def test_the_gravest_findings_come_first(content):
    levels = [finding.level for finding in find(content)]
    assert levels == ["fail", "warn", "note"]


def test_a_good_slide_has_none(content):
    good = replace(
        content,
        gates=content.gates.assign(threshold=9.0, method="gmm", grade="clear"),
        impossible=content.impossible.assign(percent=1.0),
    )
    assert find(good) == ()


def test_masks_made_elsewhere_are_named(content):
    records = {"segment": {"facts": {"model": "masks"}}}
    texts = [finding.text for finding in find(replace(content, records=records))]
    assert "Cells come from masks made elsewhere." in texts


def test_an_implausible_pixel_size_is_named(content):
    texts = [finding.text for finding in find(replace(content, pixel_size_um=5.0))]
    assert "The pixel size of 5 µm is outside the usual 0.15–1.1 µm." in texts


def _about_seams(content, *counts):
    names = ("cells_on_block_lines", "straight_on_block_lines")
    names += ("cells_elsewhere", "straight_elsewhere")
    facts = {"seams": dict(zip(names, counts, strict=True))}
    found = find(replace(content, records={"segment": {"facts": facts}}))
    return next(finding for finding in found if "where blocks meet" in finding.text)


def test_cells_at_seams_are_counted(content):
    finding = _about_seams(content, 400, 2, 390, 3)
    assert finding.level == "note"
    assert finding.text == (
        "Of 400 cells on the lines where blocks meet 2 have an outline straight along "
        "the line; of 390 on lines half-way between, 3."
    )


def test_cells_that_are_cut_at_seams_are_a_warning(content):
    assert _about_seams(content, 400, 40, 390, 3).level == "warn"


def test_a_slide_of_one_block_has_no_seam(content):
    finding = _about_seams(content, 0, 0, 30, 0)
    assert finding.text == "No cell lies on a line where blocks meet."


def test_the_cause_of_a_conflict_is_named_if_it_was_tested(content):
    tested = content.impossible.assign(
        touching_percent=90.0, expected_percent=20.0, reading="spill-over likely"
    )
    text = find(replace(content, impossible=tested))[0].text
    assert text == (
        "CD8+/CK+: 12 % of 100 cells, above the limit of 10 %; 90 % of them touch an "
        "opposite cell, 20 % would by chance: spill-over likely."
    )
    assert "look for spill-over" in find(content)[0].text


@pytest.mark.parametrize(("uncertain", "warned"), [(5, False), (6, True)])
def test_many_uncertain_cells_are_a_warning(content, uncertain, warned):
    counts = {"tumour": 100 - uncertain, "uncertain": uncertain}
    records = {"phenotype": {"facts": {"cells": counts}}}
    texts = [finding.text for finding in find(replace(content, records=records))]
    expected = f"{uncertain} % of the cells lie too near a gate to be named."
    assert (expected in texts) == warned


@pytest.mark.parametrize(
    ("counts", "says"),
    [({"other": 9}, "Every cell is excluded."), ({"other": 0}, "No cell was found.")],
)
def test_no_cell_and_no_evaluable_cell_are_told_apart(content, counts, says):
    records = {"phenotype": {"facts": {"cells": counts}}}
    empty = replace(content, levels=content.levels.iloc[:0], records=records)
    assert says in [finding.text for finding in find(empty)]


def test_a_field_within_the_tissue_is_said_to_be_one(content):
    def texts(share):
        records = {"quality": {"facts": {"border_share": share}}}
        return [f.text for f in find(replace(content, records=records))]

    assert any("beyond 80 % of the image" in text for text in texts(0.8))
    assert not any("beyond" in text for text in texts(0.1))


def test_the_verdict_of_the_last_stage_counts(content):
    def record(word, *reasons):
        return {"facts": {"verdict": {"word": word, "reasons": reasons}}}

    records = {
        "quality": record("pass"),
        "phenotype": record("review", "CD8 is undecided, and CTL cannot be told"),
    }
    found = find(replace(content, records=records))
    warned = [finding.text for finding in found if finding.level == "warn"]
    assert warned[0] == "CD8 is undecided, and CTL cannot be told."


def test_an_impossible_combination_is_told_once(content):
    reason = "CD8+/CK+ is impossible, but 12 % of 100 cells are"
    verdict = {"facts": {"verdict": {"word": "review", "reasons": [reason]}}}
    found = find(replace(content, records={"phenotype": verdict}))
    assert sum(finding.text.startswith("CD8+/CK+") for finding in found) == 1


def test_an_undecided_marker_is_told_once(content):
    reason = "CK is undecided, and tumour cannot be told"
    verdict = {"facts": {"verdict": {"word": "review", "reasons": [reason]}}}
    found = find(replace(content, records={"phenotype": verdict}))
    assert sum(finding.text.startswith("CK is undecided") for finding in found) == 1
