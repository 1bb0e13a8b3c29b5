import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import OUTSIDE, STROMA, TUMOUR, landscape, widen
from mifprofile.core.landscape.metrics import METRICS
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

UM = 20.0
MARKERS = ("PanCK", "HER2", "CD3", "CD8", "FOXP3", "CD68", "CD20", "PD-L1")
PHENOTYPES = {
    "tumour": "PanCK+/CD3-/CD68-",
    "CTL": "CD3+/CD8+/PanCK-",
    "Treg": "CD3+/FOXP3+/PanCK-",
    "B": "CD20+/PanCK-",
    "macrophage": "CD68+/PanCK-",
}


def panel_of(*without, phenotypes=PHENOTYPES):
    names = [name for name in MARKERS if name not in without]
    return make_panel(
        {name: f"{name}/membrane" for name in names},
        phenotypes=phenotypes,
        states=[name for name in names if name == "PD-L1"],
        tumour="tumour",
    )


PANEL = panel_of()
# Bands of whole pixels of the map.
OPTIONS = LandscapeOptions(
    her2_levels=(10, 20, 30), interface_um=(40, 100), infiltration_band_um=40
)


@pytest.fixture(scope="module")
def regions():
    """4 mm × 4 mm: stripes of tumour and stroma, and 1 mm of tissue outside."""
    out = np.full((200, 200), OUTSIDE, np.uint8)
    out[:, :150] = STROMA
    for start in range(0, 150, 30):
        out[:, start : start + 15] = TUMOUR
    return out


@pytest.fixture(scope="module")
def cells(regions):
    """4000 cells of 100 µm²: tumour in nests; of each kind a third is PD-L1+."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 4000, (2, 4000))
    names = np.array(["glass", "tumour", "stroma", "outside"])
    region = names[regions[(y / UM).astype(int), (x / UM).astype(int)]]
    immune = np.array(["CTL", "CTL", "Treg", "B", "macrophage", "other"])
    phenotype = np.where(
        (region == "tumour") & (rng.random(4000) < 0.8),
        "tumour",
        immune[rng.integers(0, 6, 4000)],
    )
    return pd.DataFrame(
        {
            "x_um": x,
            "y_um": y,
            "area_um2": 100.0,
            "region": region,
            "phenotype": phenotype,
            "PD-L1_positive": rng.random(4000) < 1 / 3,
            "HER2_positive": rng.random(4000) < 1 / 2,
            "HER2_membrane_mean": rng.choice([5.0, 15, 25, 35], 4000),
            "HER2_membrane_completeness": rng.uniform(0.5, 1, 4000),
        }
    )


def table_of(cells, regions, panel=PANEL, options=OPTIONS, **given):
    return landscape("s", cells, regions, UM, panel, options, **given)


@pytest.fixture(scope="module")
def table(cells, regions):
    return table_of(cells, regions)


def pick(table, metric, param=""):
    hit = table[(table["metric"] == metric) & (table["param"] == param)]
    assert len(hit) == 1
    return hit.iloc[0]


def test_every_metric_is_in_the_dictionary_with_its_unit(table):
    emitted = table.groupby("metric")["unit"].unique()
    assert set(emitted.index) == set(METRICS)
    for name, units in emitted.items():
        assert list(units) == [METRICS[name].unit]


def test_tps_counts_tumour_cells_alone(cells, table):
    tumour = cells[cells["phenotype"] == "tumour"]
    row = pick(table, "pdl1_tps")
    assert (row.n_num, row.n_den) == (tumour["PD-L1_positive"].sum(), len(tumour))
    assert row.value == pytest.approx(100 * row.n_num / row.n_den)
    assert row.ci_low < row.value < row.ci_high
    assert (row.status, row.ci_method) == ("OK", "logit-t")


def test_cps_counts_immune_cells_near_nests(cells, table):
    immune = cells["phenotype"].isin(["CTL", "Treg", "B", "macrophage"])
    positive = cells["PD-L1_positive"]
    tumour = cells["phenotype"] == "tumour"
    # The last nest ends at 2700 µm.
    for within_um in (500, 100):
        gaps = cells["x_um"] % 600
        near = (gaps < 300 + within_um) | (gaps > 600 - within_um)
        near &= cells["x_um"] <= 2700 + within_um
        row = pick(table, "pdl1_cps", f"within_um={within_um}")
        counted = (positive & tumour).sum() + (positive & immune & near).sum()
        assert row.n_num == counted
        assert row.value == pytest.approx(min(100, 100 * counted / tumour.sum()))
    assert row.ci_high <= 100


def test_ic_and_stil_are_shares_of_area(cells, table):
    immune = cells["phenotype"].isin(["CTL", "Treg", "B", "macrophage"])
    bed = cells["region"].isin(["tumour", "stroma"])
    row = pick(table, "pdl1_ic")
    assert row.n_num == (immune & bed & cells["PD-L1_positive"]).sum()
    assert row.value == pytest.approx(100 * row.n_num * 1e-4 / row.area_mm2)
    stil = pick(table, "stil_area_pct")
    lymphocytes = cells["phenotype"].isin(["CTL", "Treg", "B"])
    assert stil.n_num == (lymphocytes & (cells["region"] == "stroma")).sum()
    assert stil.value == pytest.approx(100 * stil.n_num * 1e-4 / stil.area_mm2)
    assert stil.ci_low < stil.value < stil.ci_high


def test_ic_by_stained_area(cells, table, regions):
    assert pick(table, "pdl1_ic_stained").status == "NOT_COMPUTABLE"
    stained = cells.assign(**{"PD-L1_membrane_positive_fraction": 0.25})
    half = table_of(stained, regions)
    row, whole = pick(half, "pdl1_ic_stained"), pick(half, "pdl1_ic")
    assert row.value == pytest.approx(whole.value / 4)
    assert row.ci_low < row.value < row.ci_high
    assert (row.n_num, row.status) == (whole.n_num, "APPROX")


def test_cuts_come_with_their_probability(table):
    assert pick(table, "pdl1_tps_probability", "cut=1").value == 1
    far = pick(table, "pdl1_cps_probability", "within_um=500,cut=10")
    assert (far.value, far.unit, far.ci_method) == (1, "1", "none")


def test_h_score_is_the_sum_of_its_bins(table):
    shares = [
        pick(table, "her2_pct_bin", f"bin={b}").value for b in ("0", "1+", "2+", "3+")
    ]
    row = pick(table, "her2_h_score")
    assert sum(shares) == pytest.approx(100)
    assert row.value == pytest.approx(np.dot([0, 1, 2, 3], shares))
    assert 0 < row.ci_low < row.value < row.ci_high < 300
    positive = pick(table, "her2_pct_pos")
    assert positive.value == pytest.approx(shares[2] + shares[3])
    assert pick(table, "her2_class").value == 2
    assert 0 < pick(table, "her2_block_cv").value < 0.5
    assert pick(table, "her2_pct_blocks_low").n_den >= 6


def test_without_levels_there_is_no_h_score_but_a_share(cells, regions):
    table = table_of(cells, regions, options=LandscapeOptions())
    row = pick(table, "her2_h_score")
    assert (row.status, np.isnan(row.value)) == ("NOT_COMPUTABLE", True)
    assert "her2_levels" in row.reason
    share = pick(table, "her2_pct_pos")
    assert (share.status, share.value) == ("APPROX", pytest.approx(50, abs=5))


def test_without_levels_bins_are_relative_to_the_gate(cells, regions):
    gates = KnownGates({"HER2": 20.0})
    table = table_of(cells, regions, options=LandscapeOptions(), gates=gates)
    given = LandscapeOptions(her2_levels=(10, 20, 40))
    calibrated = table_of(cells, regions, options=given)
    for metric in ("her2_h_score", "her2_pct_complete", "her2_class"):
        row = pick(table, metric)
        assert row.value == pick(calibrated, metric).value
        assert (row.status, "times the gate" in row.reason) == ("APPROX", True)


def test_her2_that_is_absent_has_a_score_of_zero(cells, regions):
    gate, options = {"HER2": np.nan}, LandscapeOptions()
    absent = table_of(cells, regions, options=options, gates=KnownGates(gate))
    assert pick(absent, "her2_h_score").value == 0
    unseen = KnownGates(gate, {"HER2": "undecided"})
    table = table_of(cells, regions, options=options, gates=unseen)
    row = pick(table, "her2_h_score")
    assert (row.status, row.reason) == ("NOT_COMPUTABLE", "undecided: HER2")


def test_without_completeness_there_is_an_h_score_but_no_class(cells, regions):
    table = table_of(cells.drop(columns="HER2_membrane_completeness"), regions)
    assert pick(table, "her2_h_score").status == "OK"
    row = pick(table, "her2_class")
    assert row.status == "NOT_COMPUTABLE"
    assert row.reason == "the cells have no HER2_membrane_completeness"


def test_a_panel_without_pdl1_has_the_same_rows_without_values(cells, regions, table):
    other = table_of(cells, regions, panel_of("PD-L1"))
    rows = other[other["metric"].str.startswith("pdl1")]
    assert rows["value"].isna().all()
    assert set(rows["status"]) == {"NOT_COMPUTABLE"}
    keys = ["metric", "region", "phenotype", "phenotype_b", "param"]
    same = table[table["metric"].str.startswith("pdl1")][keys]
    assert rows[keys].to_numpy().tolist() == same.to_numpy().tolist()


def test_a_panel_of_four_markers_is_approximate(cells, regions):
    phenotypes = {"tumour": "HER2+/CD8-", "CTL": "CD8+", "Treg": "FOXP3+"}
    core = panel_of("PanCK", "CD3", "CD68", "CD20", phenotypes=phenotypes)
    table = table_of(cells, regions, core)
    status = table.drop_duplicates("metric").set_index("metric")["status"]
    assert status["her2_pct_pos"] == "NOT_COMPUTABLE"
    for metric in ("pdl1_tps", "pdl1_cps", "pdl1_ic", "stil_area_pct", "her2_h_score"):
        assert status[metric] == "APPROX", metric


def test_an_undecided_marker_gives_no_score(cells, regions):
    row = pick(
        table_of(cells, regions, gates=KnownGates(grades={"PD-L1": "undecided"})),
        "pdl1_tps",
    )
    assert (row.status, row.reason) == ("NOT_COMPUTABLE", "undecided: PD-L1")
    assert np.isnan(row.value)


def test_immune_class_has_its_probabilities(cells, regions):
    low = OPTIONS.model_copy(update={"inflamed_per_mm2": 5.0})
    table = table_of(cells, regions, options=low)
    row = pick(table, "immune_class")
    assert (row.value, row.reason, row.status) == (2, "inflamed", "OK")
    chances = table[table["metric"] == "immune_class_probability"]["value"]
    assert chances.sum() == pytest.approx(1)
    wide = OPTIONS.model_copy(
        update={"inflamed_per_mm2": 1000.0, "excluded_per_mm2": 1000.0}
    )
    assert pick(table_of(cells, regions, options=wide), "immune_class").value == 0


def test_scores_of_little_tumour_are_small(cells, regions):
    few = cells.drop(cells.index[cells["phenotype"] == "tumour"][99:])
    table = table_of(few, regions)
    for metric in ("pdl1_tps", "her2_h_score", "her2_pct_pos", "her2_class"):
        row = pick(table, metric)
        assert row.status == "SMALL", metric
        assert row.reason.startswith("fewer than 100 tumour cells")
        assert np.isfinite(row.value)
    assert pick(table, "adequacy").value == 0
    density = table[(table["metric"] == "density") & (table["phenotype"] == "CTL")]
    assert density["value"].notna().all()


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_missing_without_a_reason(cells, regions, count):
    for ground in (regions, np.zeros_like(regions)):
        kept = cells.head(count if ground.any() else 0)
        table = table_of(kept, ground)
        unknown = table[table["value"].isna()]
        assert unknown["status"].ne("OK").all()
        assert unknown["reason"].ne("").all()
        assert not np.isinf(table.select_dtypes("number")).any(axis=None)
        bare = table["ci_method"] == "none"
        assert table.loc[bare, ["ci_low", "ci_high"]].isna().all(axis=None)


def test_no_foxp3_cell_leaves_the_ratio_out(cells, regions):
    table = table_of(cells[cells["phenotype"] != "Treg"], regions)
    ratio = table[(table["metric"] == "ratio") & (table["region"] == "tissue")].iloc[0]
    assert (ratio.reason, ratio.n_den) == ("zero_denominator", 0)
    assert ratio.n_num > 0


def test_bands_and_nests_make_up_the_tissue(table):
    parts = ["tumour", "interface_0_40_um", "interface_40_100_um", "distal"]
    for metric, phenotype in (("area", ""), ("count", "all"), ("count", "CTL")):
        rows = table[(table["metric"] == metric) & (table["phenotype"] == phenotype)]
        values = rows.set_index("region")["value"]
        assert values[parts].sum() == pytest.approx(values["tissue"])
        both = values["tumour"] + values["stroma"]
        assert values["tumour_bed"] == pytest.approx(both)


def test_an_invasive_margin_that_cannot_be_seen_has_no_values(cells, regions, table):
    margin = table[table["region"] == "invasive_margin"]
    assert margin.loc[margin["metric"] == "area", "value"].item() == pytest.approx(4.0)
    narrow = regions.copy()
    narrow[20:, 150:] = 0
    kept = cells[(cells["x_um"] < 3000) | (cells["y_um"] < 400)]
    rows = table_of(kept, narrow)
    rows = rows[rows["region"] == "invasive_margin"]
    assert rows["value"].isna().all()
    assert set(rows["status"]) == {"LOW_AREA"}
    assert rows["reason"].str.contains("less than 2 mm").all()


def test_the_whole_is_the_ratio_of_sums(regions):
    """10 cells on 1 mm² and none on 9 mm² are 1 per mm², not 5."""
    ground = np.full((100, 1000), OUTSIDE, np.uint8)
    ground[:, :100] = STROMA
    places = np.linspace(0.05, 0.95, 10)
    cells = pd.DataFrame({"x_um": 1000 * places, "y_um": 500.0, "region": "stroma"})
    cells = cells.assign(phenotype="CTL", HER2_positive=False)
    cells = cells.assign(**{"PD-L1_positive": False})
    table = landscape("s", cells, ground, 10.0, PANEL, LandscapeOptions())
    rows = table[(table["metric"] == "density") & (table["phenotype"] == "CTL")]
    found = rows.set_index("region")["value"]
    assert (found["tissue"], found["outside"]) == pytest.approx((1.0, 0.0))


def test_shuffling_cells_changes_nothing(cells, regions, table):
    shuffled = cells.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(table_of(shuffled, regions), table)


def test_a_finer_map_of_the_same_scene_changes_nothing(cells, regions, table):
    fine = np.repeat(np.repeat(regions, 2, axis=0), 2, axis=1)
    other = landscape("s", cells, fine, UM / 2, PANEL, OPTIONS)
    # Bands lose the pixels that are nearer to the tissue's edge, of either size.
    of_pixels = table["metric"].isin(["density_by_distance", "centre_of_mass_um"])
    pd.testing.assert_frame_equal(other[~of_pixels], table[~of_pixels])


def test_turning_the_scene_changes_nothing(cells, regions, table):
    turned = cells.assign(x_um=cells["y_um"], y_um=4000 - cells["x_um"])
    pd.testing.assert_frame_equal(table_of(turned, np.rot90(regions)), table)


def test_wide_names_every_value_once(table):
    wide = widen(table)
    beside = wide.columns.str.contains("__grade|__n_corrected|__value_at")
    assert len(wide) == 1
    assert (~beside).sum() == 1 + len(table)
    assert "pdl1_tps__tissue__tumour__PD-L1__n_corrected" in wide
