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
