"""Requests for texts, as tests make them."""

from typing import Any

from orchestration_project.agents.model import Request


def request_for(customer_id: str = "C1", kind: str = "outreach", **facts: Any) -> Request:
    """A request for a text about a customer."""
    names = {"customer_name": "Paxcento Labs", "contact_name": "Ana Ló", "owner": "Bo Marín", "plan": "starter"}
    numbers = {"decline_pct": 40, "days_since_use": 3, "active_days_30d": 4, "tickets_30d": 2, "tickets_open": 1,
               "overdue_days": 0, "overdue_amount": None, "renewal_date": None, "window_days": 30,
               "score": 8.4}  # fmt: skip
    told = names | numbers | facts
    shown = told | {"factor": "usage_decline", "factors": ("usage_decline",), "band": "high", "no_score_reason": None,
                    "language": "en", "may_promise": [], "customer_id": customer_id}  # fmt: skip
    template = "check_in" if kind == "outreach" else kind
    return Request(customer_id, kind, shown, told, template)
