"""Paths of the buyers' pages about jobs, reservations and money."""

from django.urls import path

from frontend.store import (
    autotopup,
    budgets,
    invoices,
    jobs,
    jobsubmit,
    objections,
    orderbills,
    reservationchanges,
    reservations,
    standing,
    wallet,
)

urlpatterns = [
    path("jobs/", jobs.job_list, name="job-list"),
    path("jobs/new/", jobsubmit.job_new, name="job-new"),
    path("jobs/sample/", jobs.submit_sample, name="job-sample"),
    path("jobs/<str:job>/", jobs.job_page, name="job"),
    path("jobs/<str:job>/log/", jobs.job_log, name="job-log"),
    path("jobs/<str:job>/cancel/", jobs.cancel_job, name="job-cancel"),
    path("jobs/<str:job>/raise/", jobs.raise_budget, name="job-raise"),
    path("jobs/<str:job>/relax/", jobs.relax_job, name="job-relax"),
    path("jobs/<str:job>/retry/", jobs.retry_job, name="job-retry"),
    path("invoices/", invoices.invoice_list, name="invoice-list"),
    path("invoices/details/", invoices.billing_details, name="billing-details"),
    path("invoices/of/<str:order>/", orderbills.invoice_now, name="invoice-order"),
    path("invoices/<str:invoice>/", invoices.invoice_page, name="invoice"),
    path("objections/", objections.objection_list, name="objections"),
    path("objections/<str:line>/", objections.object_page, name="object"),
    path("wallet/", wallet.wallet_page, name="wallet"),
    path("wallet/auto/off/", autotopup.auto_off, name="wallet-auto-off"),
    path("wallet/budgets/", budgets.budget_list, name="budgets"),
    path("wallet/budgets/<str:budget>/", budgets.budget_page, name="budget"),
    path("wallet/statement.csv", wallet.wallet_csv, name="wallet-csv"),
    path("wallet/topups/<str:payment>/", wallet.topup_page, name="topup"),
    path("reservations/", reservations.reservation_list, name="reservation-list"),
    path("reservations/standing/new/", standing.standing_new, name="standing-new"),
    path("reservations/standing/<str:order>/", standing.standing_page, name="standing"),
    path("reservations/standing/<str:order>/move/", standing.standing_move, name="standing-move"),
    path("reservations/<str:reservation>/", reservations.reservation_page, name="reservation"),
    path("reservations/<str:reservation>/confirm/", reservations.confirm_reservation, name="reservation-confirm"),
    path("reservations/<str:reservation>/change/", reservationchanges.change_reservation, name="reservation-change"),
    path("reservations/<str:reservation>/cancel/", reservations.cancel_reservation, name="reservation-cancel"),
]
