"""Figures of changes: forest, spaghetti, waterfall, spider, heat map, sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, ScalarFormatter

from mifprofile.core.cohort.questions import patients_of
from mifprofile.report.cohort.drawing import (
    GRID,
    INK,
    RESPONSE,
    RESPONSE_NAMES,
    SOFT,
    Drawing,
    as_svg,
    canvas,
    colours_of,
    legend,
    say_nothing,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mifprofile.core.cohort.analyse import Part
    from mifprofile.core.cohort.questions import Values

NAMED_UP_TO = 40
COURSE_DAYS = (0, 15, 30, 90, 365, 1095)


def forest(part: Part) -> Drawing:
    """Estimate and interval of every predeclared endpoint, a panel per unit."""
    rows = part.findings[part.findings["family"] == "predeclared"]
    units = list(dict.fromkeys(rows["unit"]))
    sizes = [max(int((rows["unit"] == unit).sum()), 1) for unit in units]
    with canvas(9, 0.9 + 0.42 * sum(sizes) + 0.55 * len(units)) as figure:
        grid = figure.subplots(
            len(units), 1, squeeze=False, gridspec_kw={"height_ratios": sizes}
        )
        for axes, unit in zip(grid[:, 0], units, strict=True):
            _forest_panel(axes, rows[rows["unit"] == unit], unit)
        svg = as_svg(figure)
    return Drawing(
        f"{part.species}_forest",
        "Predeclared endpoints",
        "Estimate with its interval; the numbers at the right are estimate (interval), "
        "p adjusted by Holm, and patients. Right of the line: more after than before, "
        "or more than in the control arm.",
        svg,
        rows[_FOREST],
    )


_FOREST = [
    *("endpoint", "title", "question", "group", "time", "unit", "estimate", "low"),
    *("high", "p_value", "p_adjusted", "n_patients", "n_missing", "status", "reason"),
]


def _forest_panel(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    places = np.arange(len(rows))[::-1]
    neutral = 1.0 if unit.startswith(("hazard", "odds")) else 0.0
    axes.axvline(neutral, color=SOFT, linewidth=0.8)
    for y, row in zip(places, rows.to_dict("records"), strict=True):
        if np.isfinite(row["estimate"]):
            axes.plot([row["low"], row["high"]], [y, y], color=INK, linewidth=1.4)
            axes.plot(row["estimate"], y, "s", color="#1f5fa8", markersize=6)
        axes.annotate(
            _said(row),
            (1.02, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=INK if np.isfinite(row["estimate"]) else SOFT,
        )
    axes.set_yticks(places, [_short(title, 42) for title in rows["title"]])
    axes.set(ylim=(-0.6, len(rows) - 0.4), xlabel=unit)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)


def _said(row: dict[str, object]) -> str:
    if not np.isfinite(float(str(row["estimate"]))):
        return f"none: {_short(str(row['reason']), 52)}"
    limits = f"({row['low']:.3g} to {row['high']:.3g})"
    p = f"p {_p(float(str(row['p_adjusted'])))}"
    return f"{row['estimate']:.3g} {limits}, {p}, n {row['n_patients']}"


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "not tested"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def patients_of_endpoint(part: Part, values: Values) -> Drawing:
    """Every patient of an endpoint: both times, the change, and the course."""
    if not values.changes.notna().any():
        return _single_times(part, values)
    with canvas(11, 3.9) as figure:
        left, middle, right = figure.subplots(
            1, 3, gridspec_kw={"width_ratios": (1, 1.5, 1.2)}
        )
        _spaghetti(left, part, values)
        _waterfall(middle, part, values)
        _spider(right, part, values)
        svg = as_svg(figure)
    asked = values.asked
    return Drawing(
        f"{part.species}_{asked.name}",
        asked.title,
        f"Left: every patient at {asked.before} and {asked.after}; who has one of the "
        "two alone is a ring. Middle: change of each patient, largest first, coloured "
        "by response; a cross names who has no pair. Right: the course from the value "
        "before treatment, by day of the biopsy.",
        svg,
        _patient_numbers(part, values),
    )


def _single_times(part: Part, values: Values) -> Drawing:
    """Every patient by arm, where no one has both times."""
    asked = values.asked
    name = f"{part.species}_{asked.name}"
    times = [t for t in values.table if values.table[t].notna().any()]
    if not times:
        why = "Nobody has a value; what did not enter is listed above."
        return Drawing(name, asked.title, why, "", _patient_numbers(part, values))
    with canvas(1.6 + 2.6 * len(times), 3.2) as figure:
        grid = figure.subplots(1, len(times), squeeze=False)[0]
        for axes, time in zip(grid, times, strict=True):
            _by_arm(axes, part, values.table[time], time)
        grid[0].set_ylabel(_scale(values))
        svg = as_svg(figure)
    return Drawing(
        name,
        asked.title,
        "Nobody has a value at both times, so there is no change to draw. Each ring is "
        "one, by arm; the line is the median.",
        svg,
        _patient_numbers(part, values),
    )


def _by_arm(axes: Axes, part: Part, column: pd.Series, time: str) -> None:
    arms = colours_of(part.study.arms)
    for x, (arm, colour) in enumerate(arms.items()):
        mine = column.reindex(patients_of(part.study, arm)).dropna()
        if mine.empty:
            continue
        # Side by side in the order of the sheet, so that none hides another.
        spread = np.linspace(-0.18, 0.18, len(mine)) if len(mine) > 1 else np.zeros(1)
        axes.plot(x + spread, mine, "o", mec=colour, mfc="white")
        axes.hlines(mine.median(), x - 0.25, x + 0.25, color=colour, linewidth=2)
    axes.set_xticks(range(len(arms)), arms)
    axes.set(xlim=(-0.6, len(arms) - 0.4), title=time)


def _patient_numbers(part: Part, values: Values) -> pd.DataFrame:
    table = values.table.add_prefix("value_")
    days = values.days.add_prefix("day_")
    known = {n: part.study.patients[n] for n in table.index}
    return (
        table.join(days)
        .assign(
            change=values.changes,
            arm=[p.arm for p in known.values()],
            response=[RESPONSE_NAMES[p.responded] for p in known.values()],
        )
        .rename_axis("patient_id")
        .reset_index()
    )


def _spaghetti(axes: Axes, part: Part, values: Values) -> None:
    asked, arms = values.asked, colours_of(part.study.arms)
    pair = values.table[[asked.before, asked.after]]
    if not pair.notna().any(axis=None):
        say_nothing(axes, "no patient has a value at either time")
        return
    for name, (first, second) in zip(pair.index, pair.to_numpy(), strict=True):
        colour = arms[part.study.patients[name].arm]
        if np.isfinite(first + second):
            axes.plot(
                [0, 1], [first, second], "o-", color=colour, markersize=3.5, alpha=0.8
            )
        else:
            axes.plot([0, 1], [first, second], "o", mec=colour, mfc="white")
    axes.set_xticks([0, 1], [asked.before, asked.after])
    axes.set(xlim=(-0.25, 1.25), ylabel=_scale(values), title="Pairs")
    if len(arms) > 1:
        legend(axes, arms, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=1)


def _waterfall(axes: Axes, part: Part, values: Values) -> None:
    found = values.changes.sort_values(ascending=False)
    shown = found[found.notna()]
    if shown.empty:
        say_nothing(axes, "no patient has both times")
        return
    answers = [part.study.patients[name].responded for name in shown.index]
    axes.bar(range(len(shown)), shown, color=[RESPONSE[a] for a in answers], width=0.8)
    lacking = list(found.index[found.isna()])
    at = np.arange(len(lacking)) + len(shown)
    axes.plot(at, np.zeros(len(lacking)), "x", color=SOFT, markersize=4)
    if len(found) <= NAMED_UP_TO:
        axes.set_xticks(range(len(found)), found.index, rotation=90, fontsize=6.5)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set(ylabel=f"change, {values.asked.unit}", title="Change of each patient")
    colours = {RESPONSE_NAMES[a]: RESPONSE[a] for a in dict.fromkeys(answers)}
    legend(axes, colours, loc="upper right")


def _spider(axes: Axes, part: Part, values: Values) -> None:
    start = values.table[values.asked.before]
    courses = values.table.sub(start, axis=0)
    arms = colours_of(part.study.arms)
    drawn = 0
    for name in courses.index:
        days, moved = values.days.loc[name], courses.loc[name]
        known = days.notna() & moved.notna()
        if known.sum() < 2:
            continue
        order = days[known].sort_values().index
        colour = arms[part.study.patients[name].arm]
        x, y = days[order], moved[order]
        axes.plot(x, y, "o-", color=colour, markersize=3, alpha=0.8)
        axes.annotate(name, (x.iloc[-1], y.iloc[-1]), fontsize=6)
        drawn += 1
    if not drawn:
        say_nothing(axes, "no patient has two biopsies with their day")
        return
    axes.axhline(0, color=SOFT, linewidth=0.8)
    # Weeks first, years last.
    axes.set_xscale("symlog", linthresh=30)
    axes.xaxis.set_major_locator(FixedLocator(COURSE_DAYS))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set(xlabel="day from the start of treatment", title="Course")


def heat_map(part: Part) -> Drawing:
    """Change of every patient in every endpoint, in standard deviations."""
    changes = pd.DataFrame({n: v.changes for n, v in part.values.items()})
    shown = changes.dropna(how="all")
    table = changes.rename_axis("patient_id").reset_index()
    about = f"{part.species}_heat_map", "Changes by patient"
    if shown.empty:
        return Drawing(*about, "Nobody has both times of any endpoint.", "", table)
    with canvas(9, max(1.8, 0.22 * len(shown) + 1.4)) as figure:
        _heat(figure.subplots(), shown, part)
        svg = as_svg(figure)
    return Drawing(
        *about,
        "Change in each endpoint, divided by the standard deviation of that endpoint's "
        "changes; grey: no pair. Patients by response, then by the first endpoint.",
        svg,
        table,
    )


def _heat(axes: Axes, shown: pd.DataFrame, part: Part) -> None:
    ranks: dict[bool | None, int] = {True: 0, False: 1, None: 2}
    answers = [ranks[_answer(part, name)] for name in shown.index]
    order = np.lexsort((-shown.iloc[:, 0].fillna(-np.inf), answers))
    scaled = (shown / shown.std()).iloc[order]
    axes.set_facecolor("#e8eaee")
    image = axes.imshow(
        np.ma.masked_invalid(scaled), cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto"
    )
    titles = [_short(v.asked.title, 26) for v in part.values.values()]
    axes.set_xticks(range(len(titles)), titles, rotation=20, ha="right", fontsize=7.5)
    names = [f"{n}, {RESPONSE_NAMES[_answer(part, n)]}" for n in scaled.index]
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.figure.colorbar(image, ax=axes, label="change / SD", shrink=0.7)


def _answer(part: Part, name: object) -> bool | None:
    return part.study.patients[str(name)].responded


def sensitivity(part: Part) -> Drawing:
    """The change of each endpoint under every reading."""
    table = part.sensitivity
    endpoints = list(dict.fromkeys(table["endpoint"]))
    readings = list(dict.fromkeys(table["reading"]))
    with canvas(11, 0.28 * len(readings) + 1.3) as figure:
        grid = figure.subplots(1, len(endpoints), sharey=True, squeeze=False)[0]
        for axes, endpoint in zip(grid, endpoints, strict=True):
            mine = table[table["endpoint"] == endpoint].set_index("reading")
            _readings(axes, mine.reindex(readings))
        grid[0].set_yticks(range(len(readings)), readings, fontsize=8)
        grid[0].invert_yaxis()
        svg = as_svg(figure)
    return Drawing(
        f"{part.species}_sensitivity",
        "Sensitivity",
        "The predeclared answer of each endpoint when it is read otherwise. The grey "
        "line is the main analysis; a reading without a mark has no estimate, and the "
        "table says why.",
        svg,
        table,
    )


def _readings(axes: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    main = rows["estimate"].iloc[0]
    if np.isfinite(main):
        axes.axvline(main, color=GRID, linewidth=3, zorder=0)
    ratio = str(rows["unit"].iloc[0]).startswith(("hazard", "odds"))
    axes.axvline(1.0 if ratio else 0.0, color=SOFT, linewidth=0.8)
    axes.hlines(places, rows["low"], rows["high"], color=INK, linewidth=1.2)
    axes.plot(rows["estimate"], places, "s", color="#1f5fa8", markersize=4)
    axes.set_title(_short(str(rows["title"].iloc[0]), 22), fontsize=8)
    axes.set_xlabel(str(rows["unit"].iloc[0]), fontsize=7.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _scale(values: Values) -> str:
    names = {"log2": "log2", "logit": "log2 odds"}
    return names.get(values.asked.scale, values.asked.unit)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
