"""What is excluded of real images, on which nothing is folded, blurred or clipped."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from PIL import Image

from mifprofile.core.quality import CAUSES
from mifprofile.io.readers import open_slide
from mifprofile.model import Channel, PixelSize, Slide
from mifprofile.options import QualityOptions
from mifprofile.stages.quality import find_tissue
from mifprofile.stages.quality.planes import coarse_plane
from mifprofile.stages.quality.scan import Grid
from mifprofile.stages.quality.survey import survey_slide
from mifprofile.stages.workers import open_workers
from tests.panels import make_panel

# No image shows a fold, a blurred or a clipped area to the eye. Some have clumps.
MAX_PERCENT = 2.0
SLIDES = {
    "breast_b09/*.ome.tif": 0.5,
    "codex_tile/R001_X003_Y004.ome.tif": None,
    "tonsil_5ch/input.tiff": 0.5,
    "vectra_qptiff/*.qptiff": None,
    "mibi_dcis/*.ome.tif": None,
}
# Read at these sizes too: the map's grid falls otherwise.
OTHER_UM = (0.25, 0.325, 0.5, 0.65)


def excluded(slide, um=None, markers=None):
    """Percent of the tissue that is excluded, by cause."""
    if um is not None:
        slide = replace(slide, pixel_size=PixelSize(um, um))
    nucleus, *rest = (channel.name for channel in slide.channels)
    if "HH3" in rest:
        nucleus, rest = "HH3", [nucleus, *(n for n in rest if n != "HH3")]
    panel = make_panel(markers or rest, nucleus=nucleus)
    options = QualityOptions()
    plane, map_um = coarse_plane(slide, nucleus, options.mask_um)
    tissue = find_tissue(plane, map_um, options)
    grid = Grid(slide, tissue, map_um)
    with open_workers(1, None) as workers:
        masks, _ = survey_slide(grid, plane, panel, options, (), workers)
    found = {cause: 100 * masks[cause][tissue].mean() for cause in CAUSES}
    return found | {"all": 100 * np.any(list(masks.values()), axis=0)[tissue].mean()}


def images(data_dir):
    for pattern, um in SLIDES.items():
        paths = sorted(data_dir.glob(pattern))
        assert paths, pattern
        yield from ((path, um) for path in paths)


def test_of_no_slide_more_than_a_little_is_excluded(data_dir):
    found = {path.name: excluded(open_slide(path), um) for path, um in images(data_dir)}
    assert len(found) >= 24
    assert {n: f for n, f in found.items() if f["all"] > MAX_PERCENT} == {}
    assert {n: f for n, f in found.items() if f["fold"] or f["out_of_focus"]} == {}


@pytest.mark.parametrize("um", OTHER_UM)
def test_clusters_and_vessels_are_no_folds_at_any_grid(data_dir, um):
    slide = open_slide(data_dir / "codex_tile" / "R001_X003_Y004.ome.tif")
    names = [channel.name for channel in slide.channels[1:]]
    for markers in (names, *([name] for name in names)):
        assert excluded(slide, um, markers)["fold"] == 0


def single(pixels):
    """A slide of one picture, once as nuclei and once as a marker."""
    channels = (Channel("DAPI", 0), Channel("marker", 1))
    level = da.from_array(np.stack([pixels, pixels]))
    return Slide("s", "s", "", channels, PixelSize(0.5, 0.5), (level,))


@pytest.mark.parametrize(
    "pattern", ["lung_opal_fields/*composite*.jpg", "nuclei_tissue/*.png"]
)
def test_nests_and_crowded_nuclei_are_evaluated(data_dir, pattern):
    paths = [p for p in sorted(data_dir.glob(pattern)) if "label" not in p.stem]
    assert len(paths) >= 5
    for path in paths:
        picture = np.asarray(Image.open(path))
        blue = picture if picture.ndim == 2 else picture[..., 2]
        assert excluded(single(blue.copy()))["all"] <= MAX_PERCENT, path.name
