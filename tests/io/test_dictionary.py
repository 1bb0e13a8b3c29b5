from pathlib import Path

from mifprofile.core.landscape.metrics import METRICS, dictionary
from mifprofile.io.dictionary import page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_code_says():
    written = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert written == page(), (
        "stale; run: python -m mifprofile.io.dictionary docs/metrics.md"
    )


def test_the_dictionary_has_a_row_per_metric():
    table = dictionary()
    assert table["name"].is_unique
    assert set(table["name"]) == set(METRICS)
    assert table[["title", "formula", "unit"]].ne("").all(axis=None)
