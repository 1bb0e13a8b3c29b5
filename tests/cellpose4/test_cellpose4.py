import numpy as np
import pytest
import torch

from mifprofile.engines import load_segmenter
from mifprofile.errors import FormatError, UsageError
from mifprofile.io.config import override_options
from mifprofile.io.readers import open_slide
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.options import Options
from mifprofile.stages import Job, run_stage
from mifprofile.synthetic import SynthOptions


def test_it_gives_what_cellpose_gives(models, weights):
    from cellpose.core import run_net
    from cellpose.models import CellposeModel

    segmenter = load_segmenter("cpsam_v2", 8.0)
    assert segmenter.um == pytest.approx(8.0 / 30)
    assert segmenter.tiling((9000, 9000)).tile_px == 256
    theirs = CellposeModel(pretrained_model=str(weights), use_bfloat16=False)
    # Cellpose pads by 8 pixels at each side.
    image = np.zeros((1, 240, 240, 3), np.float32)
    image[0, :, :, 0] = np.random.default_rng(0).random((240, 240))
    expected = run_net(theirs.net, image, bsize=256)[0][0].transpose(2, 0, 1)
    tile = np.zeros((1, 2, 256, 256), np.float32)
    tile[0, 0, 8:-8, 8:-8] = image[0, :, :, 0]
    tile[0, 1] = 1
    out = segmenter.predict(tile)[0, :, 8:-8, 8:-8]
    assert expected.std() > 0.1
    np.testing.assert_allclose(out[:2], expected[:2] / 5, atol=1e-5)
    np.testing.assert_allclose(out[2], expected[2], atol=1e-5)


def test_a_slide_goes_through_segment(models, tmp_path, demo_panel):
    drawn = SynthOptions(size_mm=(0.05, 0.05), seed=3, glass_margin_um=0)
    # Random weights find no nuclei; these options let anything pass for one.
    segment = {
        "model": "cpsam_v2",
        "flow_error": 1000.0,
        "min_contrast": -1000.0,
        "min_nucleus_um2": 0.0,
    }
    job = Job(
        Results(tmp_path / "out"),
        demo_panel,
        options=override_options(Options(), {"segment": segment}, "test"),
        slide=write_synthetic_slide(tmp_path / "slide.ome.tiff", drawn).slide,
        quiet=True,
    )
    for stage in ("ingest", "quality", "segment"):
        run_stage(job, stage)
    facts = job.results.read_record("segment")["facts"]
    assert facts["model"] == "cpsam_v2"
    nuclei = np.asarray(open_label_store(job.results.labels)["nuclei"].levels[0])
    assert nuclei.shape == open_slide(job.results.slide).shape_px
    assert facts["cells"] == np.unique(nuclei).size - 1 > 0


def test_a_cellpose_3_model_is_refused(tmp_path):
    path = tmp_path / "old"
    torch.save({"downsample.down.res_down_0.proj.1.weight": torch.zeros(1)}, path)
    with pytest.raises(FormatError, match="a Cellpose 3 model"):
        load_segmenter(str(path), 8.0)
    with pytest.raises(UsageError, match="another version"):
        load_segmenter("cyto3", 8.0)


def test_incomplete_weights_are_refused(models, tmp_path):
    torch.save({"W2": torch.zeros(192, 3, 8, 8)}, tmp_path / "half")
    with pytest.raises(FormatError, match="incomplete"):
        load_segmenter(str(tmp_path / "half"), 8.0)
