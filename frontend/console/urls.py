"""Paths of the providers' console."""

from django.urls import path

from frontend.console import agents, certificates, meters, offers, overview, payouts, promises, proposals, work

urlpatterns = [
    path("", overview.overview, name="console"),
    path("offers/", offers.offer_list, name="console-offers"),
    path("offers/new/", offers.offer_new, name="console-offer-new"),
    path("offers/<str:offer>/", offers.offer_page, name="console-offer"),
    path("offers/<str:offer>/lower/", proposals.lower_price, name="console-lower-price"),
    path("offers/<str:offer>/beside/", proposals.offer_beside, name="console-offer-beside"),
    path("offers/<str:offer>/<slug:act>/", offers.act_on_offer, name="console-offer-act"),
    path("reservations/", promises.promise_list, name="console-promises"),
    path("reservations/<str:reservation>/", promises.promise_page, name="console-promise"),
    path("reservations/<str:reservation>/give-up/", promises.give_up, name="console-give-up"),
    path("jobs/", work.job_list, name="console-jobs"),
    path("payouts/", payouts.payouts_page, name="console-payouts"),
    path("payouts/register/", payouts.register, name="console-register"),
    path("payouts/onboarding/", payouts.onboarding, name="console-onboarding"),
    path("payouts/<str:payout>/", payouts.payout_page, name="console-payout"),
    path("payouts/<str:payout>/lines.csv", payouts.payout_csv, name="console-payout-csv"),
    path("agents/", agents.agents_page, name="console-agents"),
    path("agents/keys/<str:key>/revoke/", agents.revoke_agent_key, name="console-agent-key-revoke"),
    path("meters/", meters.meters_page, name="console-meters"),
    path("meters/hours.csv", meters.hours_csv, name="console-hours-csv"),
    path("meters/points/", meters.make_point, name="console-point-new"),
    path("meters/plants/", meters.make_plant, name="console-plant-new"),
    path("meters/shares/", meters.share_plant, name="console-share-new"),
    path("meters/readings/", meters.send_readings, name="console-readings"),
    path("certificates/", certificates.certificates_page, name="console-certificates"),
    path("certificates/files/", certificates.send_certificates, name="console-certificate-files"),
    path("certificates/statements/", certificates.send_statements, name="console-statements"),
    path("certificates/statements.csv", certificates.due_csv, name="console-due-csv"),
    path("certificates/<str:lot>/", certificates.lot_page, name="console-certificate"),
    path("certificates/<str:lot>/statement/", certificates.state_cancellation, name="console-statement"),
]
