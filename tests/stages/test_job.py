from pathlib import Path

import pytest

from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.stages import Job


def test_paths_may_be_text(demo_panel):
    job = Job(Results("OUT"), demo_panel, slide="x.tif", gates=Path("g.csv"))
    assert job.results.cells == Path("OUT/cells.parquet")
    assert (job.slide, job.gates, job.cells) == (Path("x.tif"), Path("g.csv"), None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"results": "OUT"}, "results: must be Results, not 'OUT'"),
        ({"panel": "panel.yaml"}, "panel: must be Panel, not 'panel.yaml'"),
        ({"options": {}}, "options: must be Options, not dict"),
        ({"slide": 3}, "slide: give a path, as text or Path, not int"),
        ({"workers": 0}, "workers: give at least 1, not 0"),
    ],
)
def test_what_is_of_another_type_is_one_line(demo_panel, given, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        Job(**{"results": Results("OUT"), "panel": demo_panel} | given)
