import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mifprofile.core.landscape.metrics import METRICS
from mifprofile.report import render


class _Page(HTMLParser):
    """Text of a page, its table rows and the addresses that it refers to."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.words, self.addresses, self.tags = [], [], [], []
        self._in_cell = self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._in_style = tag == "style"
        self.addresses += [v for k, v in attrs if k in {"src", "href"}]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data):
        if not self._in_style:
            self.words.append(data)
        if self._in_cell:
            self.rows[-1][-1] += data.strip()

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(content):
    return _Page(render(content))


def test_the_page_needs_no_other_file(page):
    assert page.addresses
    assert all(a.startswith("data:image/") for a in page.addresses)
    assert "script" not in page.tags


def test_the_same_content_gives_the_same_page(content):
    assert render(content) == render(content)


def test_every_landscape_row_is_listed_with_its_status(content, page):
    listed = [row for row in page.rows if len(row) == 14 and row[0] in METRICS]
    assert len(listed) == len(content.landscape)
    keys = ["metric", "phenotype", "phenotype_b", "param", "status", "reason"]
    shown = [[*row[:4], row[12], row[13]] for row in listed]
    assert sorted(shown) == sorted(content.landscape[keys].to_numpy().tolist())


@pytest.mark.parametrize("kind", ["content", "empty_content"])
def test_missing_values_are_not_spelled_nan(kind, request):
    page = _Page(render(request.getfixturevalue(kind)))
    assert "n/a" in page.text
    assert not re.search(r"\b(nan|None|inf)\b", page.text, re.IGNORECASE)


def test_a_marker_without_gate_is_named_in_words(page):
    said = "CK is undecided: its cells were not told apart, which is no zero"
    assert f"{said} (only 2 cells)." in page.text
    assert "Undecided: only 2 cells" in page.text


def test_rates_above_their_limit_are_named_first(page):
    finding = page.text.index("CD8+/CK+: 12 % of 100 cells, above the limit of 10 %")
    assert finding < page.text.index("Key numbers")


def test_a_given_pixel_size_is_named(content):
    facts = {"pixel_size_from": "--pixel-size"}
    text = _Page(render(replace(content, records={"ingest": {"facts": facts}}))).text
    assert "0.5 µm was given by hand" in text


def test_key_numbers_carry_n_and_status(page):
    ratio = next(row for row in page.rows if row and row[0] == "CD8:FOXP3")
    assert ratio[1:4] == ["n/a", "n/a:n/a", "NOT_COMPUTABLE"]


def test_provenance_lists_stages_and_software(page):
    assert "2026-01-02 03:04:05" in page.text
    assert "python 3.11.0" in page.text
    assert "research use only" in page.text


def test_hostile_names_stay_text(content):
    hostile = '<script>alert("1")</script>'
    gates = content.gates.assign(note=hostile)
    html = render(replace(content, sample_id=hostile, slide_name=hostile, gates=gates))
    assert "<script" not in html
    assert hostile in _Page(html).text


def test_an_empty_slide_is_reported_as_one(empty_content):
    page = _Page(render(empty_content))
    assert "No tissue was found" in page.text
    assert "No cell was found" in page.text
    assert "No tile to show" in page.text
    statuses = [row[10] for row in page.rows if len(row) == 12]
    assert len(statuses) == len(empty_content.landscape)
    assert {"LOW_AREA", "NO_TUMOUR"} <= set(statuses)


def test_intervals_are_shown_where_there_are_any(content):
    table = content.landscape.assign(ci_method="log-t", ci_low=1.0, ci_high=np.nan)
    page = _Page(render(replace(content, landscape=table)))
    assert any("1 –n/a" in row for row in page.rows)
