import json

import pytest

from mifprofile.errors import FormatError, MissingError
from mifprofile.io.geojson import read_drawn_areas

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]


def feature(kind="Polygon", coordinates=None, **properties):
    geometry = {"type": kind, "coordinates": coordinates or [SQUARE]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "drawn.geojson"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_collections_lists_and_single_features_are_read(file):
    one = feature(classification={"name": "Fold"})
    collection = {"type": "FeatureCollection", "features": [one, feature(name="dust")]}
    assert [e.note for e in read_drawn_areas(file(collection))] == ["Fold", "dust"]
    assert [e.note for e in read_drawn_areas(file([one]))] == ["Fold"]
    (drawn,) = read_drawn_areas(file(feature("MultiPolygon", [[SQUARE], [SQUARE]])))
    assert len(drawn.polygons) == 2
    assert drawn.polygons[0][0].tolist() == SQUARE
    assert read_drawn_areas(file({"type": "FeatureCollection", "features": []})) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("7", "expected a FeatureCollection"),
        ([{"type": "Feature"}], "feature 1: no feature with a geometry"),
        ([feature("LineString")], "LineString has no area"),
        ([feature(coordinates=[[[0, 0], [1, 1]]])], "at least three points"),
        ([feature(coordinates=[[["a", "b"]] * 4])], "not numbers"),
        ([feature("MultiPolygon", [[]])], "at least three points"),
    ],
)
def test_what_is_no_area_is_one_clear_line(file, content, message):
    with pytest.raises(FormatError, match=message):
        read_drawn_areas(file(content))


def test_a_missing_file(tmp_path):
    with pytest.raises(MissingError, match="no such file of drawn areas"):
        read_drawn_areas(tmp_path / "none.geojson")
