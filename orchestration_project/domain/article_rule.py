"""The rule of the article this project started from, kept for comparison only.

It can never reach its own band of 8-10: a total loss of usage with a ticket spike yields 7.0. See `scoring` for ours.
"""


def article_score(decline_pct: float, ticket_spike: bool) -> float:
    """Risk as the article computes it: .4 x decline above 20 %, plus .3 for a ticket spike, times 10, at most 10.

    `decline_pct` is the fall of 30-day against 90-day usage in percent. Source: requirements R25-R31.
    """
    risk = 0.4 * decline_pct / 100 if decline_pct > 20 else 0.0
    if ticket_spike:
        risk += 0.3
    return min(risk * 10, 10)
