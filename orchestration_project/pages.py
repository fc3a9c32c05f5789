"""Pages: HTML for people that needs nothing else, from templates that share one style."""

from datetime import date
from typing import Any


def page(template: str, **values: Any) -> str:
    """A template with its values; one that is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("orchestration_project"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["day"] = _day
    return environment.get_template(template).render(**values)


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
