"""Charts: pictures for the Dagster UI and for reports, drawn on this machine."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import dagster as dg

from orchestration_project.domain.rules import FAMILIES

BAND_COLOURS = {"low": "#4c9f70", "medium": "#e0a030", "high": "#c8483c", "none": "#9aa0a6"}
FAMILY_COLOURS = dict(zip(FAMILIES, ("#3b6fb6", "#e08a3c", "#5a9e6f", "#a978b5", "#9aa0a6"), strict=True))
MODEL_COLOURS = {"candidate": "#2458a6", "champion": "#e0762d", "yardstick": "#7d838c"}
ARM_COLOURS = {"acted on": "#2458a6", "held back": "#7d838c"}
MODEL_DASHES = {"candidate": [1, 0], "champion": [7, 3], "yardstick": [2, 2]}
GREY = "#9aa0a6"
WIDTH, HEIGHT = 520, 240
SMALL = (230, 120)
PERCENT = "~%"
CONFIG = {
    "font": "Helvetica, Arial, sans-serif",
    "title": {"fontSize": 15, "anchor": "start", "offset": 12},
    "axis": {"labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal", "gridColor": "#e8eaed",
             "domainColor": GREY, "tickColor": GREY},
    "legend": {"orient": "top", "title": None, "labelFontSize": 13, "symbolStrokeWidth": 2.5},
    "view": {"stroke": None},
    "line": {"strokeWidth": 2},
}  # fmt: skip


def score_histogram(scores: Any, day: str) -> dg.MetadataValue:
    """Customers per score, in half points, coloured by band; `scores` is a frame of `score` and `band`."""
    import altair as alt

    chart = (
        alt.Chart(scores, title=f"Customers by risk score, {day}")
        .mark_bar()
        .encode(
            x=alt.X("score:Q", bin=alt.Bin(extent=[1, 10], step=0.5), title="Risk score"),
            y=alt.Y("customers:Q", title="Customers"),
            color=_band_colour(alt),
        )
    )
    return picture(chart)


def band_trend(bands: Any) -> dg.MetadataValue:
    """Customers per band and scan day; `bands` is a frame of `scan_day`, `band` and `customers`."""
    import altair as alt

    chart = (
        alt.Chart(bands, title="Customers by band")
        .mark_area()
        .encode(
            x=alt.X("scan_day:T", title=None),
            y=alt.Y("customers:Q", title="Customers", stack=True),
            color=_band_colour(alt),
        )
    )
    return picture(chart)


def family_weights(weights: Any) -> Any:
    """Share of each family per month, stacked; `weights` is a frame of `month`, `family` and `weight`."""
    import altair as alt

    shown = [family for family in FAMILIES if family in set(weights["family"])]
    scale = alt.Scale(domain=shown, range=[FAMILY_COLOURS[family] for family in shown])
    legend = alt.Legend(columns=3, labelExpr="replace(datum.label, '_', ' ')")
    return (
        alt.Chart(weights, title="Family weights by month of the refit")
        .transform_calculate(place=f"indexof({shown!r}, datum.family)")
        .mark_bar()
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-45, labelOverlap=True)),
            y=alt.Y("weight:Q", title="Share of what moves the score", stack=True, axis=alt.Axis(format=PERCENT),
                    scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("family:N", scale=scale, legend=legend),
            order="place:Q",
        )
    )  # fmt: skip


def calibration(tenths: Any) -> Any:
    """Predicted against observed churn; `tenths` is a frame of `model`, `predicted` and `observed`."""
    import altair as alt

    top = max(tenths["predicted"].max(), tenths["observed"].max(), 0.01)
    scale, axis = alt.Scale(domain=[0, top]), alt.Axis(format=PERCENT)
    ideal = alt.Chart(alt.Data(values=[{"p": 0, "o": 0}, {"p": top, "o": top}])).mark_line(strokeDash=[4, 4])
    points = (
        alt.Chart(tenths)
        .mark_line(point=alt.OverlayMarkDef(size=45))
        .encode(
            x=alt.X("predicted:Q", title="Predicted churn", scale=scale, axis=axis),
            y=alt.Y("observed:Q", title="Observed churn", scale=scale, axis=axis),
            **_models(alt, tenths),
        )
    )
    drawn = ideal.encode(x="p:Q", y="o:Q", color=alt.value(GREY))
    return (drawn + points).properties(title="Calibration, by tenth of customers")


def curves(points: Any, title: str, x: str, y: str) -> Any:
    """One line per model, from 0 to 1; `points` is a frame of `model`, `x`, `y` and their `order`."""
    import altair as alt

    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format=PERCENT)
    return (
        alt.Chart(points, title=title)
        .mark_line()
        .encode(
            x=alt.X("x:Q", title=x, scale=scale, axis=axis),
            y=alt.Y("y:Q", title=y, scale=scale, axis=axis),
            order="order:Q",
            **_models(alt, points),
        )
    )


def lift(tenths: Any) -> Any:
    """Churn by tenth with the average as a line; `tenths` is a frame of `tenth`, `churn`, `average` and `lift`."""
    import altair as alt

    base = alt.Chart(tenths)
    x, y = alt.X("tenth:O", title="Tenth of customers, highest scores first", axis=alt.Axis(labelAngle=0)), "churn:Q"
    bars = base.mark_bar(color=MODEL_COLOURS["candidate"]).encode(
        x=x, y=alt.Y(y, title="Observed churn", axis=alt.Axis(format=PERCENT))
    )
    told = base.mark_text(dy=-8, fontSize=12).encode(x=x, y=y, text=alt.Text("lift:Q", format=".1f"))
    average = base.mark_rule(strokeDash=[4, 4], color=BAND_COLOURS["high"], size=1.5).encode(y="mean(average):Q")
    return (bars + told + average).properties(title="Churn by tenth of customers, and its lift over the average")


def churn_by_score(rows: Any, medium_from: float, high_from: float) -> Any:
    """Churn per integer score, coloured by the band that the score begins in.

    `rows` is a frame of `score`, `churn`, its interval from `low` to `high`, and `customers`.
    """
    import altair as alt

    bands = list(BAND_COLOURS)[:3]
    scale = alt.Scale(type="threshold", domain=[medium_from, high_from], range=[BAND_COLOURS[name] for name in bands])
    base = alt.Chart(rows).encode(x=alt.X("score:O", title="Score under the candidate", axis=alt.Axis(labelAngle=0)))
    bars = base.mark_bar().encode(
        y=alt.Y("churn:Q", title="Observed churn", axis=alt.Axis(format=PERCENT)),
        color=alt.Color("score:Q", scale=scale, legend=alt.Legend(labelExpr=f"{bands}[datum.index]")),
    )
    interval = base.mark_rule(size=1.5, color="#3c4043").encode(y="low:Q", y2="high:Q")
    told = base.mark_text(dy=-8, fontSize=12).encode(y="high:Q", text=alt.Text("customers:Q", format=","))
    return (bars + interval + told).properties(title="Churn by integer score, and number of customers")


def signal_curve(steps: Any, domain: tuple[float, float]) -> Any:
    """Points of one signal over its value; `steps` is a frame of `x`, where a step begins, and `points`."""
    import altair as alt

    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=GREY).encode(y="zero:Q")
    y = alt.Y("points:Q", title="Points", scale=alt.Scale(domain=list(domain)))
    line = alt.Chart(steps).mark_line(interpolate="step-after", color=MODEL_COLOURS["candidate"])
    return zero + line.encode(x=alt.X("x:Q", title=None, scale=alt.Scale(zero=False, nice=False)), y=y)


def level_bars(steps: Any, domain: tuple[float, float]) -> Any:
    """Points of a signal that is there or not; `steps` is a frame of `x`, `no` or `yes`, and `points`."""
    import altair as alt

    y = alt.Y("points:Q", title="Points", scale=alt.Scale(domain=list(domain)))
    bars = alt.Chart(steps).mark_bar(color=MODEL_COLOURS["candidate"])
    return bars.encode(x=alt.X("x:O", title=None, axis=alt.Axis(labelAngle=0)), y=y)


def score_trend(days: Sequence[Mapping[str, Any]], medium_from: float, high_from: float) -> str:
    """One customer's score from day to day, with the edges of the bands; `days` have `day` (ISO) and `score`."""
    return _drawn({**_score_trend(medium_from, high_from), "datasets": {"days": [dict(each) for each in days]}})


@cache
def _score_trend(medium_from: float, high_from: float) -> dict[str, Any]:
    """The chart without its days: specified once, as Altair takes three times as long for it as the drawing does."""
    import altair as alt

    line = (
        alt.Chart(alt.NamedData(name="days"))
        .mark_line()
        .encode(
            x=alt.X("day:T", title=None),
            y=alt.Y("score:Q", title="Risk score", scale=alt.Scale(domain=[1, 10])),
        )
    )
    edges = (
        alt.Chart(alt.Data(values=[{"edge": medium_from}, {"edge": high_from}]))
        .mark_rule(color=GREY, strokeDash=[4, 3])
        .encode(y="edge:Q")
    )
    return _specified(line + edges, *SMALL)


def retention(rows: Any) -> Any:
    """Share that stayed of both groups, per play; `rows` is a frame of `play`, `group`, `stayed`, `low` and `high`."""
    import altair as alt

    groups = alt.Scale(domain=list(ARM_COLOURS), range=list(ARM_COLOURS.values()))
    percent, order = alt.Axis(format=PERCENT), list(dict.fromkeys(rows["play"]))
    x = alt.X("stayed:Q", title="Share that stayed, with its 95 % interval", scale=alt.Scale(zero=False), axis=percent)
    base = alt.Chart(rows).encode(
        y=alt.Y("play:N", title=None, sort=order), yOffset=alt.YOffset("group:N", sort=list(ARM_COLOURS)),
        color=alt.Color("group:N", scale=groups),
    )  # fmt: skip
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    intervals = base.mark_rule(size=2).encode(x=alt.X("low:Q"), x2="high:Q")
    return (intervals + points).properties(title="Who stayed: acted on against held back")


def picture(chart: Any) -> dg.MetadataValue:
    """An Altair chart as a picture that the Dagster UI shows."""
    import vl_convert

    png = vl_convert.vegalite_to_png(_specified(chart, WIDTH, HEIGHT), scale=1.5)
    return dg.MetadataValue.md(f"![{chart.title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def drawing(chart: Any, width: int = WIDTH, height: int = HEIGHT) -> str:
    """An Altair chart without its title, as the address of an SVG picture that holds all of it."""
    spec = _specified(chart, width, height)
    spec.pop("title", None)
    return _drawn(spec)


def _drawn(spec: Mapping[str, Any]) -> str:
    import vl_convert

    return f"data:image/svg+xml;base64,{base64.b64encode(vl_convert.vegalite_to_svg(dict(spec)).encode()).decode()}"


def _specified(chart: Any, width: int, height: int) -> dict[str, Any]:
    return {**chart.properties(width=width, height=height).to_dict(), "config": CONFIG}


def _band_colour(alt: Any) -> Any:
    scale = alt.Scale(domain=list(BAND_COLOURS), range=list(BAND_COLOURS.values()))
    return alt.Color("band:N", scale=scale, sort=list(BAND_COLOURS))


def _models(alt: Any, rows: Any) -> dict[str, Any]:
    """Colour and dashes of those models that the rows are about."""
    shown = [model for model in MODEL_COLOURS if model in set(rows["model"])]
    colours, dashes = ([of[model] for model in shown] for of in (MODEL_COLOURS, MODEL_DASHES))
    return {
        "color": alt.Color("model:N", scale=alt.Scale(domain=shown, range=colours)),
        "strokeDash": alt.StrokeDash("model:N", scale=alt.Scale(domain=shown, range=dashes)),
    }
