"""Paths of the ledger under /api/v1; `invoices` itself is the scheduler's, which also bills one job."""

from django.urls import path

from marketplace.ledger.api import budgets, invoices, wallet

urlpatterns = [
    path("wallet", wallet.WalletView.as_view(), name="api-wallet"),
    path("wallet/movements", wallet.MovementsView.as_view(), name="api-movements"),
    path("wallet/topups", wallet.TopupsView.as_view(), name="api-topups"),
    path("wallet/topups/<str:topup>", wallet.TopupView.as_view(), name="api-topup"),
    path("wallet/refunds", wallet.RefundsView.as_view(), name="api-refunds"),
    path("budgets", budgets.BudgetsView.as_view(), name="api-budgets"),
    path("budgets/<str:budget>", budgets.BudgetView.as_view(), name="api-budget"),
    path("payouts", wallet.PayoutsView.as_view(), name="api-payouts"),
    path("payments/webhooks/<slug:gateway>", wallet.WebhookView.as_view(), name="api-payment-webhook"),
    path("invoices/<str:invoice>", invoices.InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<str:invoice>/pdf", invoices.InvoicePdfView.as_view(), name="api-invoice-pdf"),
    path("invoices/<str:invoice>/csv", invoices.InvoiceCsvView.as_view(), name="api-invoice-csv"),
]
