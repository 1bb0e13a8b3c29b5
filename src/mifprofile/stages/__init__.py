"""One function per stage: read, compute, write whole or not at all."""

from mifprofile.stages.job import Job, make_job
from mifprofile.stages.reopen import open_results
from mifprofile.stages.run import run_all, run_stage

__all__ = ["Job", "make_job", "open_results", "run_all", "run_stage"]
