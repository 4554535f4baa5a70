"""What a client sends about bills (contract 5.13)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from keyhalt import Refused
from keyhalt_energy.wire import Amount, BillAt, Id, Wire, invalid

LINES_MAX = 500
BILLS_MAX = 10_000
Ids = Annotated[list[Id], Field(min_length=1, max_length=BILLS_MAX)]


class Line(Wire):
    """One line. `value` and its unit only on lines of a meter, `special_charge_id` on others."""

    body_line_id: Id | None = None
    observation_type_id: Id
    caption: str = Field(max_length=100)
    cost: Amount | None = None
    cost_unit_id: Id | None = None
    value: Amount | None = None
    value_unit_id: Id | None = None
    special_charge_id: Id | None = None


class MeterLines(Wire):
    meter_id: Id
    body_lines: list[Line] = Field(min_length=1, max_length=LINES_MAX)


class _BillBody(Wire):
    account_id: Id
    begin_at: BillAt = Field(alias="beginDate")
    end_at: BillAt = Field(alias="endDate")
    billing_period: int = Field(ge=190001, le=209912)
    account_period: int | None = Field(None, ge=190001, le=209913)
    estimated: bool | None = None
    statement_at: BillAt | None = Field(None, alias="statementDate")
    due_at: BillAt | None = Field(None, alias="dueDate")
    next_reading_at: BillAt | None = Field(None, alias="nextReading")
    control_code: str | None = Field(None, max_length=255)
    invoice_number: str | None = Field(None, max_length=32)
    note: str | None = Field(None, max_length=4000)
    meters: list[MeterLines] | None = Field(None, max_length=LINES_MAX)
    account_body_lines: list[Line] | None = Field(None, max_length=LINES_MAX)

    def wrong(self) -> Refused | None:
        """What the type of a property alone cannot say."""
        if self.end_at < self.begin_at:
            return invalid("endDate", "endDate must not be before beginDate.")
        if not 1 <= self.billing_period % 100 <= 12:
            return invalid("billingPeriod", "billingPeriod must be a year and month, as 202603.")
        if self.account_period is not None and not 1 <= self.account_period % 100 <= 13:
            return invalid("accountPeriod", "accountPeriod must be a year and period, as 202603.")
        return None


class BillCreate(_BillBody):
    manual_entry: bool
    batch_id: Id | None = None


class BillEdit(_BillBody):
    """Absent `meters` or `accountBodyLines` leave those lines as they are; a list replaces them."""

    set_to_unapproved: bool | None = None


class BillsVoid(Wire):
    ids: Ids
    void: bool = True


class BillsDelete(Wire):
    ids: Ids
