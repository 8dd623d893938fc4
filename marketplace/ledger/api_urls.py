"""Addresses of the ledger under /api/v1; `invoices` itself is the scheduler's, which also bills one job."""

from django.urls import path

from marketplace.ledger import api

urlpatterns = [
    path("invoices/<str:invoice>", api.InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<str:invoice>/pdf", api.InvoicePdfView.as_view(), name="api-invoice-pdf"),
    path("invoices/<str:invoice>/csv", api.InvoiceCsvView.as_view(), name="api-invoice-csv"),
]
