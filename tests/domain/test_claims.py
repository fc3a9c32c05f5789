"""Claims: what an English text for our own people says that its facts don't."""

import pytest

from orchestration_project.domain.claims import Facts, wrong_claims
from tests.domain.seeded import EVERYBODY, Customer, claims

TRUE = (
    "Usage at {customer_name} fell by {decline_pct} percent in the last {window_days} days, which weighs most.",
    "{tickets_open} tickets are open, and {overdue_amount} has been overdue for {overdue_days} days.",
    "{contact_name} should be called before the renewal of the {plan} plan on {renewal_date}.",
    "Call {contact_name} about the decline; ask what has changed since the team stopped using the product.",
)


KINDS = ("wrong_number", "wrong_plan", "other_customer", "invented_name", "link", "wrong_date")


@pytest.mark.parametrize(("kind", "share"), [*((kind, 0.95) for kind in KINDS), ("invented_promise", 0.9)])
def test_most_false_claims_are_found(kind: str, share: float) -> None:
    """Of those by nine authors, in English: there is no end of ways to promise."""
    customers = [(Customer(seed), claim) for seed, claim in enumerate(claims()["en"][kind])]
    passed = [
        claim for customer, claim in customers
        if not wrong_claims(f"Risk is high.\n{customer.filled(claim, 'en')}", customer.facts, EVERYBODY)
    ]  # fmt: skip
    assert len(passed) <= (1 - share) * len(customers), passed


@pytest.mark.parametrize("text", TRUE)
def test_what_the_facts_say_passes(text: str) -> None:
    for seed in range(50):
        customer = Customer(seed)
        assert wrong_claims(customer.filled(text, "en"), customer.facts, EVERYBODY) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Offer a discount.", "discount"),
        ("Give the money back: a refund was promised.", "refund"),
        ("Tell them that it will be fixed.", "guarantee"),
        ("Let them pay in instalments.", "date"),
    ],
)
def test_what_no_play_allows_is_not_to_be_recommended(text: str, kind: str) -> None:
    assert wrong_claims(text, Facts({}))[0].startswith(f"promise of a {kind}")
    assert wrong_claims(text, Facts({}, frozenset(("discount", "refund", "date", "guarantee")))) == ()
