"""The report for people: one HTML file that needs nothing else."""

from mifprofile.report.channels import ShownChannel, shown_channels
from mifprofile.report.content import (
    Gallery,
    Overview,
    QualityContent,
    ReportContent,
    Stamp,
    Tile,
)
from mifprofile.report.figures import fit
from mifprofile.report.findings import Finding, find
from mifprofile.report.gallery import choose_examples
from mifprofile.report.page import render
from mifprofile.report.tiles import Spot, choose_tiles
from mifprofile.report.undecided import best_split

__all__ = [
    "Finding",
    "Gallery",
    "Overview",
    "QualityContent",
    "ReportContent",
    "ShownChannel",
    "Spot",
    "Stamp",
    "Tile",
    "best_split",
    "choose_examples",
    "choose_tiles",
    "find",
    "fit",
    "render",
    "shown_channels",
]
