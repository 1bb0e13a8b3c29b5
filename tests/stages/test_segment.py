"""Same labels whatever the block, the workers, or how often the run was killed."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import dask
import numpy as np
import pytest
import zarr
from distributed import LocalCluster

from mifprofile.errors import StorageError, UsageError
from mifprofile.io.config import override_options
from mifprofile.io.results import Results
from mifprofile.io.store import open_label_store
from mifprofile.io.synthetic import write_synthetic_slide
from mifprofile.stages import Job, run_stage
from mifprofile.stages.segment import tasks
from mifprofile.synthetic import SynthOptions


@pytest.fixture
def copy(finished, tmp_path):
    """A finished result folder that a test may change."""
    folder = tmp_path / "sample"
    shutil.copytree(finished.results.folder, folder, symlinks=True)
    return replace(finished, results=Results(folder))


def labels(job):
    store = open_label_store(job.results.labels)
    return np.stack([store[name].levels[0][:] for name in ("nuclei", "cells")])


def again(job, block_px, **changes):
    """Segment anew; what a stopped run has left is used."""
    options = override_options(job.options, {"segment": {"block_px": block_px}}, "test")
    job.results.record_path("segment").unlink(missing_ok=True)
    run_stage(replace(job, options=options, **changes), "segment")


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("block_px", [256, 333, 512, 4096])
def test_labels_do_not_depend_on_the_block(finished, copy, block_px):
    again(copy, block_px)
    np.testing.assert_array_equal(labels(copy), labels(finished))


@pytest.mark.parametrize("chunk_px", [130, 520])
def test_labels_do_not_depend_on_the_chunks_of_a_linked_slide(finished, copy, chunk_px):
    store = zarr.open_group(copy.results.slide, mode="r+")
    for name, array in list(store.arrays()):
        chunks = (1, chunk_px, chunk_px)
        store.create_array(name, data=array[:], chunks=chunks, overwrite=True)
    again(copy, 333)
    np.testing.assert_array_equal(labels(copy), labels(finished))


@pytest.mark.parametrize("workers", [2, 4])
def test_labels_do_not_depend_on_the_workers(finished, copy, workers):
    again(copy, 256, workers=workers)
    np.testing.assert_array_equal(labels(copy), labels(finished))


def test_whole_cells_do_not_depend_on_the_block(finished, copy):
    sections = {"segment": {"whole_cells": True}}
    job = replace(copy, options=override_options(copy.options, sections, "test"))
    again(job, 4096)
    assert job.results.read_record("segment")["facts"]["whole_cells"] is True
    whole = labels(job)
    assert (whole != labels(finished)).any()
    nuclei, cells = whole
    assert (cells[nuclei > 0] == nuclei[nuclei > 0]).all()
    assert (cells > 0).sum() > 1.1 * (nuclei > 0).sum()
    again(job, 256, workers=2)
    np.testing.assert_array_equal(labels(job), whole)
    tighter = {"segment": {"whole_cells": True, "whole_cell_probability": 3.0}}
    job = replace(copy, options=override_options(copy.options, tighter, "test"))
    again(job, 256)
    nuclei_alone, tight = labels(job)
    np.testing.assert_array_equal(nuclei_alone, nuclei)
    assert (nuclei > 0).sum() < (tight > 0).sum() < 0.97 * (cells > 0).sum()


def test_a_running_scheduler_can_be_used(finished, copy):
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, processes=True
    ) as cluster:
        again(copy, 300, scheduler=cluster.scheduler_address)
    np.testing.assert_array_equal(labels(copy), labels(finished))


def test_no_scheduler_is_one_line(copy):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(UsageError, match="no dask scheduler answers there"),
    ):
        again(copy, 300, scheduler="tcp://127.0.0.1:9")


def test_a_stopped_run_goes_on_where_it_was(finished, copy, monkeypatch):
    done = []

    def third_fails(plan, block, wanted=tasks.segment_block):
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        wanted(plan, block)
        done.append(block.core)

    target = "mifprofile.stages.segment.segment_block"
    monkeypatch.setattr(target, third_fails)
    with pytest.raises(StorageError, match="the disk is full"):
        again(copy, 256)
    assert len(done) == 2
    assert copy.results.scratch("segment").is_dir()

    networks = []
    monkeypatch.undo()
    monkeypatch.setattr(tasks, "_predict", lambda *_: networks.append(1))
    again(copy, 256)
    assert networks == []
    np.testing.assert_array_equal(labels(copy), labels(finished))
    assert not copy.results.scratch("segment").exists()


def test_what_was_left_by_other_options_is_not_used(finished, copy, monkeypatch):
    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mifprofile.stages.segment.write_block", fails)
    with pytest.raises(KeyboardInterrupt):
        run_stage(
            replace(
                copy,
                options=override_options(
                    copy.options, {"segment": {"cell_probability": 2.0}}, "test"
                ),
            ),
            "segment",
        )
    monkeypatch.undo()
    run_stage(copy, "segment")
    np.testing.assert_array_equal(labels(copy), labels(finished))


def test_kill_and_resume_give_the_same_bytes(copy, panel_path):
    folder = copy.results.folder
    program = "from mifprofile.cli import main; main()"
    command = [sys.executable, "-c", program, "segment", "-q", "--block-px", "256"]
    command += ["--panel", str(panel_path), "-o", str(folder)]
    started = time.monotonic()
    subprocess.run([*command, "--force"], check=True)
    seconds = time.monotonic() - started
    wanted = files(copy.results.labels)
    copy.results.record_path("segment").unlink()
    process = subprocess.Popen(command, start_new_session=True)
    time.sleep(random.Random(1).uniform(0.3, 1.0) * seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(command, check=True)
    assert files(copy.results.labels) == wanted
    left = [p.name for p in folder.iterdir() if "unfinished" in p.name]
    assert left == []


@pytest.fixture(scope="module")
def large(tmp_path_factory, demo_panel):
    """A slide of 1300 x 1100 px: several chunks, and a pyramid of three levels."""
    folder = tmp_path_factory.mktemp("large")
    options = SynthOptions(size_mm=(0.65, 0.55), seed=4, glass_margin_um=15)
    slide = write_synthetic_slide(folder / "slide.ome.tiff", options).slide
    job = Job(Results(folder / "sample"), demo_panel, slide=slide, quiet=True)
    for stage in ("ingest", "quality", "segment"):
        run_stage(job, stage)
    return job


@pytest.mark.parametrize("block_px", [256, 333, 1024])
def test_the_pyramid_is_every_second_pixel(large, block_px):
    wanted = labels(large)
    again(large, block_px)
    np.testing.assert_array_equal(labels(large), wanted)
    root = zarr.open_group(large.results.labels, mode="r")
    for name in ("nuclei", "cells"):
        levels = open_label_store(large.results.labels)[name].levels
        assert len(levels) == 3
        assert root[name]["0"].chunks == (1024, 1024)
        for fine, coarse in itertools.pairwise(levels):
            np.testing.assert_array_equal(fine[::2, ::2], coarse[:])


def test_labels_do_not_depend_on_the_block_at_another_pixel_size(large, tmp_path):
    sections = {"ingest": {"pixel_size_um": 0.35}}
    options = override_options(large.options, sections, "test")
    job = replace(large, results=Results(tmp_path / "fine"), options=options)
    for stage in ("ingest", "quality", "segment"):
        run_stage(job, stage)
    assert job.results.read_record("segment")["facts"]["scale"] > 1.4
    wanted = labels(job)
    assert wanted.max() > 1000
    again(job, 333)
    np.testing.assert_array_equal(labels(job), wanted)


def test_a_run_killed_when_its_labels_were_in_place_goes_on(large, monkeypatch):
    wanted = files(large.results.labels)

    def killed(plan, finish=tasks.finish):
        finish(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr("mifprofile.stages.segment.finish", killed)
    with pytest.raises(KeyboardInterrupt):
        again(large, 1024)
    assert large.results.scratch("segment").is_dir()
    monkeypatch.undo()
    again(large, 1024)
    assert not large.results.scratch("segment").exists()
    assert files(large.results.labels) == wanted


def test_a_process_loads_a_network_once(copy, monkeypatch):
    loaded = []

    def counted(*args, load=tasks.load_segmenter):
        loaded.append(args)
        return load(*args)

    monkeypatch.setattr(tasks, "load_segmenter", counted)
    monkeypatch.setattr(tasks, "_networks", {})
    again(copy, 256)
    again(copy, 256)
    assert len(loaded) == 1


def test_the_record_says_what_ran(finished):
    facts = finished.results.read_record("segment")["facts"]
    assert facts["model"] == "embedded"
    assert facts["precision"] in {"int8", "float32", "bfloat16"}
    assert facts["device"]
    assert facts["whole_cells"] is False
    assert facts["seams"]["cells_on_block_lines"] == 0
