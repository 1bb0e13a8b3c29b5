import pytest
import yaml

from mifprofile.core.panel.capability import capability, traps
from mifprofile.core.panel.targets import clone_of, target_of
from mifprofile.errors import MissingError
from mifprofile.model import Panel
from mifprofile.panels import panel_names, panel_text


@pytest.fixture(params=panel_names())
def ready(request):
    return Panel.model_validate(yaml.safe_load(panel_text(request.param)))


def test_the_ready_panels():
    names = {
        "demo",
        "demo-mouse",
        "her2-core",
        "her2-panck",
        "human-wide",
        "mouse-her2",
    }
    assert set(panel_names()) == names


def test_ready_panels_have_no_traps(ready):
    assert traps(ready) == ()


def test_their_markers_and_clones_are_known(ready):
    for name, marker in ready.markers.items():
        assert target_of(name) is not None
        if marker.clone is not None:
            assert clone_of(marker.clone).target == target_of(name).name


def test_they_tell_tumour_by_cytokeratin_unless_they_cannot(ready):
    expected = "APPROX" if ready.name == "her2-core" else "OK"
    assert capability(ready, "tumour nests and stroma").answer == expected


def test_an_unknown_name():
    with pytest.raises(MissingError, match="did you mean 'human-wide'"):
        panel_text("human-wied")
