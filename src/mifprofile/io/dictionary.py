"""The data dictionary as a page, made from the metrics that the code knows.

``python -m mifprofile.io.dictionary docs/metrics.md`` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mifprofile.core.landscape.metrics import METRICS, Metric

INTRODUCTION = """\
# Metrics

Every value of the column `metric` in `landscape.csv`; the same table lies beside it as
`data_dictionary.csv`. Made from the code by `python -m mifprofile.io.dictionary
docs/metrics.md`: change `mifprofile.core.landscape.metrics`, not this page. What the
regions, intervals and statuses mean is in [landscape.md](landscape.md).
"""


def page() -> str:
    """Markdown of the data dictionary."""
    return "\n".join([INTRODUCTION, *(_entry(metric) for metric in METRICS.values())])


def _entry(metric: Metric) -> str:
    facts = {
        "unit": metric.unit,
        "denominator": metric.denominator,
        "edge cases": metric.edge_cases,
        "source": metric.source,
    }
    lines = [f"- {name}: {text}" for name, text in facts.items() if text]
    head = f"## {metric.name}\n\n{metric.title}: {metric.formula}."
    return "\n".join([head, "", *lines, ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
