"""Company: the settings of a simulated company. What happens in it does not belong here."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _sum_to_one(shares: tuple[float, ...]) -> tuple[float, ...]:
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares must not be negative and must sum to 1, these sum to {sum(shares):g}")
    return shares


Ways = Annotated[tuple[float, float, float, float, float], AfterValidator(_sum_to_one)]


class Shift(BaseModel):
    """A change of regime: from a day on, customers come to leave in other ways."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: date = Field(description="First day of the new regime")
    ways: Ways = Field(description="Shares of the ways of leaving from then on")


class Company(BaseModel):
    """A simulated company; the same settings always give the same company."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customers: int = Field(default=2000, ge=1, description="Customers who sign up, before or during the simulation")
    seed: int = Field(default=7, description="Another seed gives another company with the same properties")
    start: date = Field(description="First simulated day; about 60 % of the customers signed up in the 3 years before")
    months: int = Field(default=18, ge=1, description="Months from the start over which the other sign-ups spread")
    monthly_churn: float = Field(default=0.02, ge=0, le=0.2, description="Share of customers who leave per month")
    outreach_effect: float = Field(
        default=0.35, ge=0, le=1, description="By how much an outreach lowers the risk of leaving in the 60 days after"
    )
    ways: Ways = Field(
        default=(0.3, 0.2, 0.18, 0.16, 0.16),
        description="Shares of the ways of leaving: slow fade, sudden stop, support anger, payment trouble, no warning",
    )
    shift: Shift | None = Field(default=None, description="A change of the ways of leaving on the way")
    missing_rate: float = Field(
        default=0.002, ge=0, le=1, description="Chance, per customer and part of the data, that the part is missing"
    )
