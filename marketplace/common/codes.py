"""Every error code of the API, its HTTP status and its title: the one place where a code becomes a status."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means to HTTP and to a person."""

    status: int
    title: str | Promise


CODES: dict[str, Code] = {
    "malformed_body": Code(400, _("The body cannot be read")),
    "invalid_parameter": Code(400, _("A query value cannot be used")),
    "unknown_parameter": Code(400, _("A query name is unknown")),
    "near_required": Code(400, _("A place to measure from is needed")),
    "idempotency_key_required": Code(400, _("An idempotency key is needed")),
    "webhook_signature_invalid": Code(400, _("The webhook's signature is wrong")),
    "authentication_required": Code(401, _("Sign in or send an API key")),
    "key_revoked": Code(401, _("The API key has been revoked or has expired")),
    "insufficient_funds": Code(402, _("The wallet holds too little")),
    "payment_declined": Code(402, _("The payment was declined")),
    "scope_missing": Code(403, _("The API key lacks a scope")),
    "role_missing": Code(403, _("Your role does not allow this")),
    "budget_exceeded": Code(403, _("The budget does not allow this")),
    "spend_limit_reached": Code(403, _("A spending limit is reached")),
    "second_approver_needed": Code(403, _("A second person must approve")),
    "not_found": Code(404, _("Not found")),
    "method_not_allowed": Code(405, _("The method is not allowed here")),
    "not_acceptable": Code(406, _("The wanted format is not offered")),
    "too_large": Code(413, _("Too large")),
    "unsupported_media_type": Code(415, _("The body's format is not understood")),
    "capacity_taken": Code(409, _("The capacity has been taken")),
    "contact_taken": Code(409, _("The contact window has been taken")),
    "illegal_state": Code(409, _("The object's state does not allow this")),
    "request_in_flight": Code(409, _("The same request is being answered")),
    "offer_in_use": Code(409, _("The offer is in use")),
    "wallet_frozen": Code(409, _("The wallet is frozen")),
    "hold_closed": Code(409, _("The hold is closed")),
    "payee_not_ready": Code(409, _("The payee cannot be paid yet")),
    "dispute_window_closed": Code(409, _("The time to dispute is over")),
    "tender_closed": Code(409, _("The tender is closed")),
    "tender_not_closed": Code(409, _("The tender is still open")),
    "quote_expired": Code(410, _("The quote has expired")),
    "stale_version": Code(412, _("The object has changed meanwhile")),
    "lease_fenced": Code(412, _("The lease has ended or was replaced")),
    "precondition_required": Code(428, _("If-Match is needed")),
    "validation_failed": Code(422, _("Some fields are wrong")),
    "idempotency_mismatch": Code(422, _("The idempotency key belongs to another request")),
    "no_offer_fits": Code(422, _("No offer fits")),
    "never_fits": Code(422, _("No offer can ever fit")),
    "qualification_missing": Code(422, _("A qualification is missing")),
    "job_file_invalid": Code(422, _("The job file is invalid")),
    "job_field_unsupported": Code(422, _("The job file asks for something not supported")),
    "currency_mismatch": Code(422, _("The currencies differ")),
    "amount_out_of_range": Code(422, _("The amount is out of range")),
    "refund_exceeds_payment": Code(422, _("The refund exceeds the payment")),
    "promise_too_low": Code(422, _("The promise is too low")),
    "underlying_still_active": Code(422, _("The underlying promise is still active")),
    "storage_exceeds_input": Code(422, _("More is drawn than was stored")),
    "statement_range_mismatch": Code(422, _("The statement is of other Wh than those reserved")),
    "receipt_number_too_large": Code(422, _("A receipt would need a number that JSON cannot hold exactly")),
    "bank_limit": Code(422, _("A limit of the compute bank is reached")),
    "bank_rate_missing": Code(422, _("The compute bank has no rate for this")),
    "contact_too_short": Code(422, _("The contact window is too short")),
    "orbit_limit": Code(422, _("A limit of the orbital site is reached")),
    "voucher_refused": Code(422, _("The voucher was refused")),
    "commitment_mismatch": Code(422, _("The bid does not match its commitment")),
    "price_weight_too_low": Code(422, _("The weight of the price is too low")),
    "ceiling_exceeded": Code(422, _("The price ceiling is exceeded")),
    "rate_limited": Code(429, _("Too many requests")),
    "internal_error": Code(500, _("Something broke on our side")),
    "unavailable": Code(503, _("Not available right now")),
    "elements_missing": Code(503, _("Orbital elements are missing")),
}
