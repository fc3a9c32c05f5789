"""Charts: small pictures for the Dagster UI, drawn on this machine."""

import base64
from typing import Any

import dagster as dg

BAND_COLOURS = {"low": "#4c9f70", "medium": "#e0a030", "high": "#c8483c", "none": "#9aa0a6"}
WIDTH, HEIGHT = 520, 220


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


def picture(chart: Any) -> dg.MetadataValue:
    """An Altair chart as a picture that the Dagster UI shows."""
    import vl_convert

    sized = chart.properties(width=WIDTH, height=HEIGHT)
    png = vl_convert.vegalite_to_png(sized.to_dict(), scale=1.5)
    return dg.MetadataValue.md(f"![{chart.title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def _band_colour(alt: Any) -> Any:
    scale = alt.Scale(domain=list(BAND_COLOURS), range=list(BAND_COLOURS.values()))
    return alt.Color("band:N", scale=scale, title="Band", sort=list(BAND_COLOURS))


def family_weights(weights: Any) -> Any:
    """Share of each family per month, stacked; `weights` is a frame of `month`, `family` and `weight`."""
    import altair as alt

    return (
        alt.Chart(weights, title="Family weights by month of the refit")
        .mark_bar()
        .encode(
            x=alt.X("month:O", title=None),
            y=alt.Y("weight:Q", title="Share", stack=True),
            color=alt.Color("family:N", title="Family"),
        )
    )


def calibration(deciles: Any) -> Any:
    """Predicted against observed churn; `deciles` is a frame of `model`, `predicted` and `observed`."""
    import altair as alt

    top = max(deciles["predicted"].max(), deciles["observed"].max(), 0.01)
    scale = alt.Scale(domain=[0, top])
    ideal = alt.Chart(alt.Data(values=[{"p": 0, "o": 0}, {"p": top, "o": top}])).mark_line(strokeDash=[4, 4])
    points = (
        alt.Chart(deciles)
        .mark_line(point=True)
        .encode(
            x=alt.X("predicted:Q", title="Predicted churn", scale=scale),
            y=alt.Y("observed:Q", title="Observed churn", scale=scale),
            color=alt.Color("model:N", title="Model"),
        )
    )
    drawn = ideal.encode(x="p:Q", y="o:Q", color=alt.value("#9aa0a6"))
    return (drawn + points).properties(title="Calibration on the validation days, by tenth of customers")


def curves(points: Any, title: str, x: str, y: str) -> Any:
    """One line per model; `points` is a frame of `model`, `x` and `y`."""
    import altair as alt

    return (
        alt.Chart(points, title=title)
        .mark_line()
        .encode(
            x=alt.X("x:Q", title=x),
            y=alt.Y("y:Q", title=y),
            color=alt.Color("model:N", title="Model"),
            order="order:Q",
        )
    )


def bars(rows: Any, title: str, x: str, y: str) -> Any:
    """One bar per row; `rows` is a frame of `x` and `y`."""
    import altair as alt

    return alt.Chart(rows, title=title).mark_bar().encode(x=alt.X("x:O", title=x), y=alt.Y("y:Q", title=y))
