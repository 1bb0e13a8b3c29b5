import re
import shutil
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch, synthetic, finished, panel_path):
    """The files that the page speaks of."""
    shutil.copy(synthetic.slide, tmp_path / "slide.ome.tiff")
    shutil.copy(panel_path, tmp_path / "panel.yaml")
    for name in ("sample", "second"):
        there = tmp_path / "results" / name
        shutil.copytree(finished.results.folder, there, symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_snippet_of_the_python_page_runs(folder, capsys):
    known = {}
    for snippet in SNIPPETS:
        exec(compile(snippet, str(PAGE), "exec"), known)
    printed = capsys.readouterr().out
    assert "run: no option 'pixelsize' (did you mean 'pixel_size'?)" in printed
    assert known["sample"].provenance["stages"]["phenotype"]["options"][
        "min_confidence"
    ] == pytest.approx(0.7)
    assert set(known["shared"]["sample"]) == {"sample", "second"}
    assert len(known["found"].makeup["neighbourhood"].unique()) == 4
    assert {p.name for p in (folder / "results").iterdir()} == {
        *("sample", "second", "from_table", "by_stage")
    }
    assert (folder / "neighbourhoods").is_dir()
