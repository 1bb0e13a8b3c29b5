"""``slide.zarr`` and tissue mask → ``labels.zarr``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.facts import Seams, SegmentFacts
from mifprofile.stages.masks import import_masks
from mifprofile.stages.run import fingerprint_of
from mifprofile.stages.segment.plan import make_plan
from mifprofile.stages.segment.squares import forget_squares, forgetting_squares
from mifprofile.stages.segment.tasks import (
    finish,
    number_cells,
    open_network,
    prepare,
    run_network,
    segment_block,
    write_block,
    write_coarse,
)
from mifprofile.stages.workers import open_workers

if TYPE_CHECKING:
    from mifprofile.stages.job import Job
    from mifprofile.stages.segment.plan import SegmentPlan
    from mifprofile.stages.workers import Task, Workers


def segment(job: Job) -> dict[str, Any]:
    """Find nuclei and cells, or take them from masks made elsewhere.

    Work is cut into tasks that talk through files alone: network tiles, blocks of
    cells, blocks of labels. What a task has finished stays when a run is killed, and
    the next run goes on from there.
    """
    if job.nuclei is not None or job.cells is not None:
        return import_masks(job)
    options = job.options.segment
    with open_workers(job.workers, job.scheduler) as workers, forgetting_squares():
        fingerprint = fingerprint_of(job, "segment")
        segmenter = open_network(
            options, options.precision, workers.threads, fingerprint
        )
        plan = make_plan(job, segmenter, workers.threads, fingerprint)
        if job.workers > 1 or job.scheduler is not None:
            # Tasks read in processes of their own.
            forget_squares()
        prepare(plan)
        cells = _find(job, plan, workers)
        seams = _write(job, plan, workers)
        finish(plan)
    return {
        "cells": cells,
        "model_um": segmenter.um,
        "precision": segmenter.precision,
        "device": segmenter.device,
        "whole_cells": plan.whole_cells,
        "scale": plan.ratio,
        "nucleus_percentiles": [float(v) for v in plan.nucleus_range],
        "membrane_percentiles": [[float(v) for v in m[1:]] for m in plan.membrane],
    } | SegmentFacts(segmenter.name, seams).noted()


def _find(job: Job, plan: SegmentPlan, workers: Workers) -> int:
    """Run the network and find the cells of each block as soon as it can be done."""
    shared = workers.share(plan)
    tiles: dict[tuple[int, int], Task] = {}
    tasks: list[Task] = []
    for batch in plan.tile_batches:
        task = workers.submit(run_network, shared, batch, lane="network")
        tiles |= dict.fromkeys(batch, task)
    for block in plan.blocks:
        below = plan.tiles_below(block.outer)
        needed = {id(t): t for at in below if (t := tiles.get(at))}
        tasks.append(
            workers.submit(segment_block, shared, block, after=list(needed.values()))
        )
    for _ in job.track(workers.completed(tasks), "cells", len(tasks)):
        pass
    return number_cells(plan)


def _write(job: Job, plan: SegmentPlan, workers: Workers) -> Seams:
    """Number the cells in raster order, and look at the seams."""
    shared = workers.share(plan)
    tasks = [workers.submit(write_block, shared, b) for b in plan.label_blocks]
    coarser = [
        workers.submit(write_coarse, shared, level, block)
        for level, blocks in enumerate(plan.coarse_blocks, start=1)
        for block in blocks
    ]
    found = list(job.track(workers.completed(tasks), "labels", len(tasks)))
    for _ in workers.completed(coarser):
        pass
    lines, elsewhere = np.sum([np.zeros((2, 2), int), *found], axis=0).tolist()
    return Seams(*lines, *elsewhere)
