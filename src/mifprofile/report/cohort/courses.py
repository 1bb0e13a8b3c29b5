"""Figures of patients over time: flow, swimmer, survival and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.cohort.flow import flow_table
from mifprofile.core.cohort.time_to_event import ENDS, arm_curves, split_curves
from mifprofile.report.cohort.drawing import (
    CLASSES,
    COLOURS,
    GRID,
    INK,
    SOFT,
    Drawing,
    as_svg,
    canvas,
    colours_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from mifprofile.core.cohort.analyse import Part
    from mifprofile.core.cohort.questions import End
    from mifprofile.core.cohort.time_to_event import Curve

PEOPLE = {"human": "patients", "mouse": "mice"}
MONTH_DAYS = 365.25 / 12
TICKS = 6


def flow(part: Part) -> Drawing:
    """Patients to biopsies to evaluable ones, with what was lost and why."""
    table = flow_table(part.states)
    arms, times = part.study.arms, part.study.timepoints
    with canvas(min(3.6 * len(arms) + 1.0, 11), 0.9 + 1.05 * len(times)) as figure:
        axes = figure.subplots()
        axes.set(xlim=(0, len(arms)), ylim=(-len(times) - 0.45, 0.45))
        axes.set_axis_off()
        for column, arm in enumerate(arms):
            mine = table[table["arm"] == arm]
            _flow_column(axes, column, mine, times, PEOPLE[part.species])
        svg = as_svg(figure)
    return Drawing(
        f"{part.species}_flow",
        "Flow",
        "Patients, biopsies that were had, and biopsies that could be evaluated; at "
        "the right of each what was not, with the reason. An event is no missing "
        "value.",
        svg,
        table,
    )


def _flow_column(
    axes: Axes, column: int, rows: pd.DataFrame, times: Sequence[str], people: str
) -> None:
    start = rows[rows["step"] == "patients"].iloc[0]
    _box(axes, column + 0.27, 0.08, f"{start['arm']}\n{start['n_patients']} {people}")
    for i, time in enumerate(times, start=1):
        here = rows[rows["timepoint"] == time]
        had = here[here["step"] == "biopsy"].iloc[0]
        good = here[here["step"] == "evaluable"].iloc[0]
        axes.annotate(
            "",
            (column + 0.27, 0.3 - i),
            (column + 0.27, 0.9 - i if i == 1 else 0.66 - i),
            arrowprops={"arrowstyle": "-|>", "color": SOFT, "linewidth": 0.9},
        )
        text = (
            f"{time}\nbiopsy: {had['n_patients']}\nevaluable: {good['n_patients']}\n"
            f"slides or fields: {good['n_slides']}"
        )
        _box(axes, column + 0.27, -i, text)
        lost = here[~here["step"].isin(["biopsy", "evaluable"])]
        lines = [
            f"{row['n_patients']} {row['reason'] or row['kind']}"
            + (f" ({row['kind']})" if row["reason"] else "")
            for row in lost.to_dict("records")
        ]
        axes.text(column + 0.53, -i, "\n".join(lines), fontsize=7.5, va="center")


def _box(axes: Axes, x: float, y: float, text: str) -> None:
    frame = {"boxstyle": "round,pad=0.5", "facecolor": "#f5f6f8", "edgecolor": SOFT}
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, bbox=frame)


def swimmer(part: Part) -> Drawing:
    """A lane per patient: how long watched, progression, death, and biopsies."""
    patients = part.study.patients
    lanes = pd.DataFrame(
        [
            {
                "patient_id": name,
                "arm": p.arm,
                "best_response": p.facts.get("best_response_recist", ""),
                **{end: (p.survival(end) or (np.nan,))[0] for end in ENDS},
                **{f"{end}_event": (p.survival(end) or (0, np.nan))[1] for end in ENDS},
            }
            for name, p in patients.items()
        ]
    )
    lanes["last"] = lanes[["pfs", "os"]].max(axis=1)
    lanes = lanes.sort_values(["last", "patient_id"], na_position="first")
    about = f"{part.species}_swimmer", "Swimmer"
    if not (lanes["last"].notna().any() or part.states["day"].notna().any()):
        why = "The sheet has no days of biopsies, progression or death."
        return Drawing(*about, why, "", lanes)
    with canvas(9, max(2.0, 0.2 * len(lanes) + 1.2)) as figure:
        _lanes(figure.subplots(), lanes.reset_index(drop=True), part)
        svg = as_svg(figure)
    return Drawing(
        *about,
        "A lane per patient until last seen: dark until progression or the end of "
        "follow-up, pale afterwards. Ticks are biopsies.",
        svg,
        lanes,
    )


def _lanes(axes: Axes, lanes: pd.DataFrame, part: Part) -> None:
    arms = colours_of(part.study.arms)
    colours = [arms[arm] for arm in lanes["arm"]]
    axes.barh(lanes.index, lanes["last"], color=colours, alpha=0.28, height=0.6)
    axes.barh(lanes.index, lanes["pfs"], color=colours, height=0.6)
    for column, mark, label in (
        ("pfs", "D", "progression"),
        ("os", "X", "death"),
    ):
        hit = lanes[lanes[f"{column}_event"] == 1]
        axes.plot(hit[column], hit.index, mark, color=INK, markersize=4.5, label=label)
    place = dict(zip(lanes["patient_id"], lanes.index, strict=True))
    days = part.states[part.states["day"].notna() & (part.states["n_slides"] > 0)]
    axes.plot(
        days["day"],
        days["patient_id"].map(place),
        "|",
        color="black",
        markersize=9,
        markeredgewidth=1.6,
        label="biopsy",
    )
    for arm, colour in arms.items():
        axes.barh([], [], color=colour, label=arm)
    names = [
        f"{row['patient_id']} {row['best_response']}".strip()
        for row in lanes.to_dict("records")
    ]
    axes.set_yticks(lanes.index, names, fontsize=7)
    axes.set(xlabel="day from the start of treatment", ylim=(-0.7, len(lanes) - 0.3))
    axes.legend(loc="lower right")


def survival(part: Part) -> Iterator[Drawing]:
    """Curves by arm, and by the median of each endpoint before treatment."""
    for end, label in ENDS.items():
        if not any(p.survival(end) for p in part.study.patients.values()):
            continue
        name = f"{part.species}_{end}_by_arm"
        yield _curves(name, f"{_first(label)} by arm", arm_curves(part.study, end), end)
        for values in part.values.values():
            curves = split_curves(values, part.study, end)
            if min(curve.found.n_patients for curve in curves):
                name = f"{part.species}_{end}_by_{values.asked.name}"
                title = f"{_first(label)} by {values.asked.title}"
                yield _curves(name, title, curves, end)


def _curves(name: str, title: str, curves: Sequence[Curve], end: End) -> Drawing:
    with canvas(5.4, 3.4 + 0.2 * len(curves)) as figure:
        axes, below = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": (4, 0.35 * len(curves))}
        )
        last = max(c.found.table["day"].max() for c in curves if c.found.n_patients)
        months = np.linspace(0, last / MONTH_DAYS, TICKS).round()
        for i, curve in enumerate(curves):
            _step(axes, curve, COLOURS[i])
            _at_risk(below, curve, months, i, COLOURS[i])
        axes.set(ylim=(0, 1.03), ylabel=ENDS[end])
        axes.legend(loc="best")
        below.set(ylim=(len(curves) - 0.4, -0.6), xlabel="months")
        below.set_yticks([])
        below.set_xticks(months)
        below.spines["left"].set_visible(False)
        below.set_title("at risk", fontsize=7.5, fontweight="normal")
        svg = as_svg(figure)
    known = [c for c in curves if c.found.n_patients]
    table = pd.concat([c.found.table.assign(curve=c.label) for c in known])
    return Drawing(
        name,
        title,
        "Kaplan-Meier with 95 % limits; small bars are patients who were last seen "
        "without the event. Below: patients at risk.",
        svg,
        table,
    )


def _step(axes: Axes, curve: Curve, colour: str) -> None:
    table = curve.found.table
    label = f"{curve.label} (n {curve.found.n_patients}, {curve.found.n_events} events)"
    if table.empty:
        axes.plot([], [], color=colour, label=label)
        return
    months = table["day"] / MONTH_DAYS
    axes.step(months, table["survival"], where="post", color=colour, label=label)
    limits = table["low"], table["high"]
    axes.fill_between(months, *limits, step="post", color=colour, alpha=0.12, lw=0)
    censored = table["n_censored"] > 0
    axes.plot(
        months[censored], table["survival"][censored], "|", color=colour, markersize=7
    )


def _at_risk(
    axes: Axes, curve: Curve, months: NDArray[np.float64], row: int, colour: str
) -> None:
    if curve.found.table.empty:
        return
    for month, count in zip(
        months, curve.found.at_risk(months * MONTH_DAYS), strict=True
    ):
        axes.text(month, row, str(count), ha="center", va="center", color=colour)


def classes(part: Part) -> Drawing:
    """How immune classes of patients go from time to time."""
    table = part.classes.pivot(
        index="patient_id", columns="timepoint", values="immune_class"
    )
    times = [time for time in part.study.timepoints if time in table]
    shown = table.reindex(columns=times).fillna("no biopsy")
    about = f"{part.species}_classes", "Immune classes"
    if len(times) < 2:
        why = "There are results of fewer than two times."
        return Drawing(*about, why, "", shown.reset_index())
    with canvas(1.6 + 2.6 * len(times), 3.6) as figure:
        _alluvial(figure.subplots(), shown)
        svg = as_svg(figure)
    return Drawing(
        *about,
        "Patients by immune class at each time; a ribbon is as wide as the patients "
        "that it holds. Classes by cuts that are placeholders until calibrated.",
        svg,
        shown.reset_index(),
    )


def _alluvial(axes: Axes, shown: pd.DataFrame) -> None:
    order = [*CLASSES, "no biopsy"]
    tops: list[dict[str, float]] = []
    for x, time in enumerate(shown.columns):
        counts = shown[time].value_counts().reindex(order, fill_value=0)
        top, here = 0.0, {}
        for name, count in counts.items():
            here[str(name)] = top
            if count:
                colour = CLASSES.get(str(name), GRID)
                axes.bar(x, count, bottom=top, width=0.16, color=colour)
                text = f"{name} {count}"
                axes.text(x + 0.1, top + count / 2, text, va="center", fontsize=8)
            top += count + 0.25
        tops.append(here)
    for x, (one, two) in enumerate(zip(shown.columns, shown.columns[1:], strict=False)):
        _ribbons(axes, x, shown[[one, two]], tops[x].copy(), tops[x + 1].copy(), order)
    axes.set_xticks(range(shown.shape[1]), shown.columns)
    axes.set_yticks([])
    axes.set_xlim(-0.2, shown.shape[1] - 0.3)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)


def _ribbons(
    axes: Axes,
    x: int,
    pair: pd.DataFrame,
    left: dict[str, float],
    right: dict[str, float],
    order: list[str],
) -> None:
    t = np.linspace(0, 1, 30)
    bend = 3 * t**2 - 2 * t**3
    for a in order:
        for b in order:
            n = int(((pair.iloc[:, 0] == a) & (pair.iloc[:, 1] == b)).sum())
            if n == 0:
                continue
            low = left[a] + (right[b] - left[a]) * bend
            place = x + 0.08 + 0.84 * t
            colour = CLASSES.get(a, GRID)
            axes.fill_between(place, low, low + n, color=colour, alpha=0.3, lw=0)
            left[a] += n
            right[b] += n


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]
