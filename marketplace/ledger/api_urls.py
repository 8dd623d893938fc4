"""Paths of the wallet and of the processors' webhooks."""

from django.urls import path

from marketplace.ledger import api

urlpatterns = [
    path("wallet", api.WalletView.as_view(), name="api-wallet"),
    path("wallet/movements", api.MovementsView.as_view(), name="api-movements"),
    path("wallet/topups", api.TopupsView.as_view(), name="api-topups"),
    path("wallet/topups/<str:topup>", api.TopupView.as_view(), name="api-topup"),
    path("wallet/refunds", api.RefundsView.as_view(), name="api-refunds"),
    path("payouts", api.PayoutsView.as_view(), name="api-payouts"),
    path("payments/webhooks/<slug:gateway>", api.WebhookView.as_view(), name="api-payment-webhook"),
]
