"""One function per stage: read, compute, write whole or not at all."""

from mifprofile.stages.job import Job
from mifprofile.stages.run import run_all, run_stage

__all__ = ["Job", "run_all", "run_stage"]
