"""Lake tables: every column that assets write, with its type and meaning. Tested against what is written."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration_project.contracts.tables import SOURCE_TABLES


class ContractError(Exception):
    """A table that is not what its contract says, as a whole: a bug, or a file from elsewhere."""

    def __init__(self, table: str, cause: str, fix: str) -> None:
        super().__init__(f"{table} breaks its contract: {cause}; {fix}.")


@dataclass(frozen=True)
class LakeColumn:
    """One column of a lake table."""

    name: str
    type: str
    description: str


def _columns(text: str) -> tuple[LakeColumn, ...]:
    lines = (line.strip().split(maxsplit=2) for line in text.strip().splitlines())
    return tuple(LakeColumn(name, kind.replace("~", " "), description) for name, kind, description in lines)


def _canonical(name: str) -> tuple[LakeColumn, ...]:
    own = tuple(LakeColumn(column.name, column.type, column.description) for column in SOURCE_TABLES[name].columns)
    return (*own, LakeColumn("known_on", "date", "First scan day that may use the row"))


LAKE_TABLES: Mapping[str, tuple[LakeColumn, ...]] = {
    "customers": _canonical("customers"),
    "support_tickets": _canonical("support_tickets"),
    "invoices": _canonical("invoices"),
    "engagements": _canonical("engagements"),
    "usage_daily": _columns(
        """
        customer_id string The customer
        day date Day of the use, UTC
        event string Kind of use
        known_on date First scan day that may use the row
        quantity float64 Sum of quantities, in steps of 2^-20
        events int64 Number of events
        users int64 Users not seen earlier that day; null where the source has none
        first_of_day boolean True for the one row by which the customer's day was first known as active
        month string Partition
        """
    ),
    "usage_customers": _columns(
        """
        customer_id string A customer with any use in the month
        known_on date First scan day that may use a row of it
        month string Partition
        """
    ),
    "usage_coverage": _columns(
        """
        day date A day with any use
        event string Event name
        known_on date First scan day that may use a customer's row of that day and event
        customers int64 Number of customers whose row it is
        month string Partition
        """
    ),
    "engagement_daily": _columns(
        """
        customer_id string The customer
        day date Day of the contact, UTC
        event string Kind of contact
        known_on date First scan day that may use the row
        quantity float64 Number of contacts
        users int32 Always 0: contacts have no users
        first_of_day boolean True for the one row by which the customer's day was first known as active
        """
    ),
    "quarantine": _columns(
        """
        reason string What is wrong with the row
        original string The row as it was read
        rows int64 Source rows it stands for
        customer_id string The customer it names, if any
        source string Partition: the source table, for usage with its month
        """
    ),
    "collections": _columns(
        """
        customer_id string A customer whose rows could not be had; null in the one row that stands for all others
        collected_on date Day of the latest collection; null in rows of customers
        unknown_from date First day for which the customer's facts are not known
        unknown_to date Last such day, where rows are read by months; null for no end
        source string Partition: the source table, for usage with its month
        """
    ),
    "escalations": _columns(
        """
        key string The same for what is about the same
        workflow string The workflow
        step string The step that failed
        error_class string missing_or_invalid_data, tool_failure, unexpected_output or human_needed
        reason string What went wrong
        pathway string What the manifest says becomes of it
        cases int64 Number of customers or rows
        customers array<struct<customer_id:~string,~attempts:~string>> Whom it is about, with the attempts as JSON
        queue string Where a person looks for it
        owner string Who answers for it
        raised_at timestamp When it was first raised
        deadline timestamp Until when somebody is to have looked
        expires_at timestamp When it is given up
        about string Partition: the source, or the table and scan day
        """
    ),
    "customer_profiles": _columns(
        """
        customer_id string The customer
        name string Company or person
        segment string Segment
        industry string Line of business
        employee_count int64 Number of employees
        plan string Plan or product bought
        mrr float64 Monthly recurring revenue
        signed_up_at timestamp When the relation began
        renews_at timestamp Next renewal, where it lies ahead
        owner string Account manager
        contact_name string Person to write to
        contact_email string Address to write to
        language string Language of the contact
        timezone string Time zone of the contact
        opted_out boolean True where the contact wants no outreach
        leaves_on date Day of leaving that was announced by the scan day
        tickets_30d int64 Tickets opened in the last 30 days
        tickets_open int64 Tickets open at the end of the scan day
        tickets_urgent_open int64 Of these, priority high or urgent
        tickets_open_days float64 Mean days that open tickets have been open; 0 where none is
        tickets_prior_monthly float64 Tickets per 30 days before the last 30; null under 30 days of baseline
        satisfaction_90d float64 Mean rating of tickets resolved in the last 90 days
        tickets_missing string Why ticket facts are missing
        invoices_known int64 Invoices of the last year
        overdue_count int64 Invoices overdue
        failed_payments_90d int64 Failed payments of the last 90 days
        overdue_amount float64 Amount overdue
        overdue_days int64 Days since the oldest unpaid invoice was due; 0 where none is overdue
        typical_invoice float64 Mean invoice of the last year
        payments_missing string Why payment facts are missing
        engagement_30d int64 Contacts of the last 30 days
        engagement_prior_60d int64 Contacts of the 60 days before
        engagement_kinds_30d int64 Kinds of contact in the last 30 days
        engagement_kinds_prior_60d int64 Kinds of contact in the 60 days before
        engagement_days_since int64 Days since the last contact
        engagement_typical_gap_days float64 Typical days between contacts
        engagement_observed_days int64 Days for which contacts could be seen, at most 365
        engagement_decline_pct float64 Decline of contacts in percent of what was to be expected
        engagement_decline_z float64 z of that change
        notice_given boolean Whether a contact announced a cancellation
        engagement_missing string Why engagement facts are missing
        usage_missing string Why usage is missing
        missing map<string,~string> Required fields that are missing, with the reason
        complete boolean Whether every required field is there
        scan_day date Partition
        """
    ),
    "usage_trends": _columns(
        """
        customer_id string The customer
        usage_30d float64 Quantity of the last 30 days
        usage_prior_60d float64 Quantity of the 60 days before
        usage_year_ago float64 Quantity of the 30 days 52 weeks ago; null where use could not be seen then
        rate_30d float64 Quantity per day, last 30 days
        rate_prior_60d float64 Quantity per day, 60 days before
        active_days_7d int64 Active days of the last 7
        active_days_30d int64 Active days of the last 30
        active_days_prior_60d int64 Active days of the 60 before
        active_days_180d int64 Active days of the last 180
        active_days_365d int64 Active days of the last 365
        user_days_30d int64 Users per day, summed over the last 30 days
        user_days_prior_60d int64 Users per day, summed over the 60 days before
        kinds_30d int64 Tracked kinds of use in the last 30 days
        kinds_prior_60d int64 Tracked kinds of use in the 60 days before
        kind_rates_30d map<string,~float64> Quantity per day of each tracked kind, last 30 days
        kind_rates_prior_60d map<string,~float64> Quantity per day of each tracked kind, 60 days before
        last_used_on date Last day of use in the year before
        days_since_use int64 Days since then
        typical_gap_days float64 Typical days between active days, drawn to the population's where there are few
        observed_days int64 Days for which use could be seen, at most 365
        calendar_ratio float64 Change that weekdays and season lead to expect, from the whole population
        decline_pct float64 Decline against the 60 days before and the calendar, in percent
        overlap_decline_pct float64 Decline of 30 against 90 days including them: understates it, kept for comparison
        decline_z float64 z of the change in rate
        significant boolean Whether the decline is above the threshold and significant
        trend string up, flat, down, stopped, insufficient_history or unknown
        usage_missing string Why usage figures are missing
        scan_day date Partition
        """
    ),
    "risk_factors": _columns(
        """
        customer_id string The customer
        decline_pct float64 Signal: decline of use, percent
        decline_z float64 Signal: its z
        days_since_use int64 Signal: days since the last use
        typical_gap_days float64 Signal: typical days between active days
        active_days_7d int64 Signal: active days of the last 7
        active_days_30d int64 Signal: active days of the last 30
        active_days_prior_60d int64 Signal: active days of the 60 before
        active_days_180d int64 Signal: active days of the last 180
        active_days_365d int64 Signal: active days of the last 365
        user_days_30d int64 Signal: users per day, summed over the last 30 days
        user_days_prior_60d int64 Signal: users per day, summed over the 60 days before
        kinds_30d int64 Signal: tracked kinds of use in the last 30 days
        kinds_prior_60d int64 Signal: tracked kinds of use in the 60 days before
        kind_rates_30d map<string,~float64> Signal: quantity per day of each tracked kind, last 30 days
        kind_rates_prior_60d map<string,~float64> Signal: quantity per day of each tracked kind, 60 days before
        usage_30d float64 Signal: quantity of the last 30 days
        usage_year_ago float64 Signal: quantity of the 30 days 52 weeks ago
        tickets_30d int64 Signal: tickets of the last 30 days
        tickets_prior_monthly float64 Signal: monthly tickets before
        tickets_open int64 Signal: open tickets
        tickets_urgent_open int64 Signal: open tickets of priority high or urgent
        tickets_open_days float64 Signal: mean age of open tickets
        satisfaction_90d float64 Signal: mean rating of 90 days
        overdue_days int64 Signal: days overdue
        overdue_amount float64 Signal: amount overdue
        typical_invoice float64 Signal: mean invoice
        failed_payments_90d int64 Signal: failed payments of 90 days
        invoices_known int64 Signal: invoices of the last year
        engagement_decline_pct float64 Signal: decline of contacts, percent
        engagement_days_since int64 Signal: days since the last contact
        engagement_typical_gap_days float64 Signal: typical days between contacts
        engagement_30d int64 Signal: contacts of the last 30 days
        engagement_kinds_30d int64 Signal: kinds of contact, last 30 days
        engagement_kinds_prior_60d int64 Signal: kinds of contact, 60 days before
        days_to_renewal int64 Signal: days to the next renewal
        tenure_days int64 Signal: days since sign-up
        observed_days int64 Signal: days for which use could be seen
        mrr float64 Signal: monthly recurring revenue
        employee_count int64 Signal: employees
        plan string Signal: plan
        segment string Signal: segment
        notice_given boolean Signal: a cancellation was announced
        usage_missing string Why usage is missing
        tickets_missing string Why tickets are missing
        payments_missing string Why payments are missing
        engagement_missing string Why engagement is missing
        silence float64 Signal: probability of no use within the horizon, from rhythm and silence
        usage_decline float64 Severity of use in [0, 1]
        support_tickets float64 Severity of tickets in [0, 1]
        payment_issues float64 Severity of payments in [0, 1]
        engagement_drop float64 Severity of engagement in [0, 1]
        context float64 Severity of the renewal's closeness in [0, 1]
        usage_decline_reason string Why that severity is unknown
        support_tickets_reason string Why that severity is unknown
        payment_issues_reason string Why that severity is unknown
        engagement_drop_reason string Why that severity is unknown
        context_reason string Why that severity is unknown
        exception string usage_stopped or cancellation_notice, where the score has a floor
        rules_version string Version of all rules that decided
        scan_day date Partition
        """
    ),
    "churn_outcomes": _columns(
        """
        customer_id string A customer of the scan whose horizon ended with the month
        scan_day date That scan day
        churned boolean Whether the customer left within the horizon; null where it does not count
        censored string Why it does not count: announced, too_new or source_stale
        treated boolean Whether an intervention reached the customer within the horizon
        propensity float64 How likely the likeliest was to; 1 where nobody logged it
        matured_on date Last day of the horizon
        month string Partition
        """
    ),
    "interventions": _columns(
        """
        customer_id string A customer who was to be acted on
        day date Day of the act
        propensity float64 Probability of not being held back; null where it was left undone for another reason
        delivered boolean Whether it was done; false for the control group
        """
    ),
    "risk_weights": _columns(
        """
        version string Version of the candidate that was fitted
        family string Factor family
        family_weight float64 Share of the family in what moves the score
        signal string Signal; `intercept` holds the log-odds where no curve adds anything
        direction int64 +1 where more of it means more risk, -1 where less
        step int64 Number of the step; null for unknown values
        from_value float64 Least value of the step; null for the first step
        points float64 Log-odds that the step adds
        segment string Segment that has an intercept and factors of its own; null for what is common
        factor float64 What the points of the family are multiplied by in the segment
        month string Partition
        """
    ),
    "weight_metrics": _columns(
        """
        model string candidate, champion, prior or yardstick
        metric string Name of the metric
        value float64 Its value on the validation days
        low float64 Lower end of its 95 % interval, customers drawn anew
        high float64 Upper end
        month string Partition
        """
    ),
    "weight_decisions": _columns(
        """
        decision string The decision and every check of the gate, as JSON
        candidate string Version of the candidate; null where there was too little to learn from
        status string champion, waiting, shadow or none
        champion string Version in force after it, from the first day of the following month
        training_rows int64 Rows learned from
        training_churners int64 Of these, left
        validation_rows int64 Rows validated with
        validation_churners int64 Of these, left
        month string Partition
        """
    ),
    "risk_scores": _columns(
        """
        customer_id string The customer
        score float64 Risk from 1 to 10; null with a reason
        no_score_reason string Why there is no score
        probability float64 Probability of churn; null under the prior weights
        band string low, medium or high
        confidence float64 How much the score rests on, 0 to 1
        next_action string monitor, outreach, alert, human_review or data_quality_review
        factors array<string> Families and exceptions that raised the score
        contributions map<string,~float64> What each family added; sums to score - 1
        weights_version string Version of the weights
        scored_at timestamp When it was computed
        scan_day date Partition
        """
    ),
    "action_plan": _columns(
        """
        customer_id string The customer
        action string outreach, alert, monitor, human_review or data_quality_review
        state string Band of the customer's stay: low, medium or high, not moved by scores on an edge
        since date First day of the stay in medium or high, as far as 45 days back
        play string What is done
        cause string Factor family or exception that it is about
        variant string Template that was drawn
        variant_propensity float64 Probability with which it was drawn
        propensity float64 Probability of not being in the control group, for those who would be acted on
        control boolean Whether the customer is in the control group
        assigned boolean Whether nothing but the control group stops it: whose outcomes tell whether acting helps
        expected_loss float64 Monthly revenue times probability of leaving, or times the place of a prior score
        owner string Account manager
        rank int64 Place among the owner's actions of the kind that nothing stops, the most valuable first
        stopped_at string Stage of the funnel at which it ended; null for what is planned
        autonomy string How far what is planned may go by itself: shadow, draft, approve or auto
        scan_day date Partition
        """
    ),
    "outreach_drafts": _columns(
        """
        customer_id string The customer
        play string What is written
        variant string Template of the play
        factor string Factor family that it is about
        language string Language of the text
        subject string Subject line
        body string The message, plain text
        state string verified, or review where it says what its facts do not
        problems array<string> What it says that its facts do not
        written_by string Template or model, with the version of what it was told
        model_failure string Why the model did not write it, where a template took over
        facts string What the writer was given, as JSON
        scan_day date Partition
        """
    ),
    "account_alerts": _columns(
        """
        customer_id string The customer
        owner string Account manager
        score float64 Risk from 1 to 10
        narrative string Why the customer has that score
        recommended_actions array<string> What to do, the most urgent first
        state string verified, or review where a text said what its facts did not and a template took over
        problems array<string> What it said that its facts did not
        written_by string Template or model, with the version of what it was told
        model_failure string Why the model did not write it, where a template took over
        facts string What the writer was given, as JSON
        scan_day date Partition
        """
    ),
    "business_outcomes": _columns(
        """
        metric string What was measured, such as retention_lift; see docs/impact.md
        play string The play; null for all together
        variant string Template of the play, where it is told by template
        value float64 What was found; null where nothing can be said
        low float64 Lower end of its 95 % interval
        high float64 Upper end
        n int64 Number of customers, messages or drafts that it rests on
        verdict string Of retention_lift: helps, harms, no effect shown, not enough data or assignment broken
        scan_day date Partition
        """
    ),
}
