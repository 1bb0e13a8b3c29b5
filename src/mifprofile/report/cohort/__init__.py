"""The report on a cohort: one page, its figures and their numbers."""

from mifprofile.report.cohort.drawing import Drawing
from mifprofile.report.cohort.page import CohortContent, drawings_of, render_cohort

__all__ = ["CohortContent", "Drawing", "drawings_of", "render_cohort"]
