"""Addresses of the scheduler under /api/v1."""

from django.urls import path

from scheduler.api import agent, files, invoices, jobs, offers, quotes, rounds, signals, usage

urlpatterns = [
    path("quotes", quotes.QuotesView.as_view(), name="api-quotes"),
    path("quotes/<str:quote>", quotes.QuoteView.as_view(), name="api-quote"),
    path("reservations", quotes.ReservationsView.as_view(), name="api-reservations"),
    path("offers", offers.OffersView.as_view(), name="api-offers"),
    path("offers/<str:offer>", offers.OfferView.as_view(), name="api-offer"),
    path("offers/<str:offer>/calendar", offers.CalendarView.as_view(), name="api-offer-calendar"),
    path("offers/<str:offer>/price_signal", signals.PriceSignalView.as_view(), name="api-offer-price-signal"),
    path("offers/<str:offer>/prices", offers.OfferRatesView.as_view(), name="api-offer-prices"),
    path("offers/<str:offer>/publish", offers.OfferStateView.as_view(verb="publish"), name="api-offer-publish"),
    path("offers/<str:offer>/pause", offers.OfferStateView.as_view(verb="pause"), name="api-offer-pause"),
    path("offers/<str:offer>/retire", offers.OfferStateView.as_view(verb="retire"), name="api-offer-retire"),
    path("places", offers.PlacesView.as_view(), name="api-places"),
    path("sites", offers.SitesView.as_view(), name="api-sites"),
    path("hardware_classes", offers.HardwareClassesView.as_view(), name="api-hardware"),
    path("jobs", jobs.JobsView.as_view(), name="api-jobs"),
    path("jobs/<str:job>", jobs.JobView.as_view(), name="api-job"),
    path("jobs/<str:job>/cancel", jobs.CancelJobView.as_view(), name="api-job-cancel"),
    path("jobs/<str:job>/relax", jobs.RelaxJobView.as_view(), name="api-job-relax"),
    path("jobs/<str:job>/retry", jobs.RetryJobView.as_view(), name="api-job-retry"),
    path("jobs/<str:job>/why", jobs.WhyView.as_view(), name="api-job-why"),
    path("jobs/<str:job>/logs", jobs.LogsView.as_view(), name="api-job-logs"),
    path("jobs/<str:job>/artifacts", jobs.ArtifactsView.as_view(), name="api-job-artifacts"),
    path("invoices", invoices.InvoicesView.as_view(), name="api-invoices"),
    path("usage", usage.UsageView.as_view(), name="api-usage"),
    path("uploads", files.UploadsView.as_view(), name="api-uploads"),
    path("agents", rounds.AgentsView.as_view(), name="api-agents"),
    path("match_rounds", rounds.RoundsView.as_view(), name="api-rounds"),
    path("match_rounds/<str:round>", rounds.RoundView.as_view(), name="api-round"),
    path("match_rounds/<str:round>/replay", rounds.ReplayView.as_view(), name="api-round-replay"),
    path("agent/register", agent.RegisterView.as_view(), name="api-agent-register"),
    path("agent/leases", agent.ClaimView.as_view(), name="api-agent-leases"),
    path("agent/leases/<str:lease>/heartbeat", agent.HeartbeatView.as_view(), name="api-agent-heartbeat"),
    path("agent/leases/<str:lease>/log", agent.LogView.as_view(), name="api-agent-log"),
    path("agent/leases/<str:lease>/outputs", agent.OutputView.as_view(), name="api-agent-outputs"),
    path("agent/leases/<str:lease>/finish", agent.FinishView.as_view(), name="api-agent-finish"),
]
