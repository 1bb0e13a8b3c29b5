from dataclasses import replace

import numpy as np

from mifprofile.core.quality import (
    CAUSES,
    area_figures,
    figure_table,
    pair_figures,
    staining_figures,
)
from mifprofile.report import QualityContent, find, render
from mifprofile.report.quality import COLOURS, exclusion_picture

VERDICT = {"word": "review", "reasons": ["12 % of the tissue is excluded"]}
AREAS = {"tissue": 2.0, "fold": 0.5, "evaluable": 1.5}


def with_quality(content):
    values = np.random.default_rng(0).gamma(2, 50, (2, 2000)).astype(np.float32)
    figures = [
        *area_figures(AREAS),
        *staining_figures("DAPI", values[0], 2.0, 0.0),
        *staining_figures("CD8a", values[1], np.nan, 0.0),
        *pair_figures(["DAPI", "CD8a"], values),
    ]
    masks = {cause: np.zeros((40, 40), bool) for cause in CAUSES}
    masks["fold"][5:10, 5:30] = True
    record = {"quality": {"facts": {"verdict": VERDICT, "areas_mm2": AREAS}}}
    return replace(
        content,
        quality=QualityContent(figure_table(figures), masks),
        records=content.records | record,
    )


def test_the_section_shows_verdict_areas_and_channels(content):
    page = render(with_quality(content))
    for text in ("review", "12 % of the tissue is excluded", "CD8a", "Excluded tissue"):
        assert text in page
    assert "pixels too large" in page  # why there is no noise


def test_a_reason_of_the_verdict_is_a_finding(content):
    found = [f for f in find(with_quality(content)) if "excluded" in f.text]
    assert [(f.level, f.text) for f in found] == [
        ("warn", "12 % of the tissue is excluded.")
    ]


def test_a_page_without_quality_says_so(content):
    assert "No quality figures." in render(content)


def test_excluded_tissue_takes_its_colour():
    masks = {cause: np.zeros((9, 9), bool) for cause in CAUSES}
    masks["fold"][2, 2] = masks["edge"][2, 2] = masks["edge"][5, 5] = True
    image = exclusion_picture(np.zeros((9, 9), np.float32), masks).astype(int)
    assert image[0, 0].tolist() == [0, 0, 0]
    for place, cause in (((2, 2), "fold"), ((5, 5), "edge")):
        np.testing.assert_allclose(
            image[place], 0.55 * np.array(COLOURS[cause]), atol=1
        )
