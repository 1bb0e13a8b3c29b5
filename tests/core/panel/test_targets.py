import pytest

from mifprofile.core.panel.targets import (
    CLONES,
    TARGETS,
    clone_of,
    marker_of,
    names_of,
    target_of,
)
from tests.panels import make_panel


@pytest.mark.parametrize(
    ("marker", "target"),
    [
        ("PDL1", "PD-L1"),
        ("pd-l1", "PD-L1"),
        ("CK", "PanCK"),
        ("pan-cytokeratin", "PanCK"),
        ("CD8a", "CD8"),
        ("F4/80", "CD68"),
        ("B220", "CD20"),
        ("FoxP3", "FOXP3"),
    ],
)
def test_names_of_the_same_molecule(marker, target):
    assert target_of(marker).name == target


@pytest.mark.parametrize("marker", ["DAPI", "CD80", "CD", ""])
def test_what_is_not_known(marker):
    assert target_of(marker) is None


def test_every_clone_binds_a_known_target():
    names = {target.name for target in TARGETS}
    assert {clone.target for clone in CLONES} <= names
    assert all(clone_of(clone.name.lower()) is clone for clone in CLONES)


def test_the_first_marker_of_a_molecule_counts():
    panel = make_panel(("CK8", "CK7", "S100"), species="mouse", nucleus="D")
    assert names_of(panel.markers) == {"PanCK"}
    assert marker_of("PanCK", panel) == "CK8"
    assert marker_of("CD8", panel) is None
