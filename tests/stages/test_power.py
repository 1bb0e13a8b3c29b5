import json

import pandas as pd
from click.testing import CliRunner

from mifprofile.cli import cli


def test_more_fields_ask_for_fewer_pairs(tmp_path):
    out = tmp_path / "power"
    args = ["cohort", "power", "-o", str(out), "--fold-change", "2", "--runs", "200"]
    args += ["--fields", "1", "--fields", "10", "--pairs", "10"]
    said = CliRunner().invoke(cli, args).output
    few, many = pd.read_csv(out / "pairs_needed.csv")["n_pairs"]
    assert many < few
    assert f"fold change 2, 10 fields a biopsy: {many} pairs" in said
    assumed = json.loads((out / "assumptions.json").read_text())
    assert assumed["model"]["aggregation"] == 0.4
    assert "assumed: " in said
