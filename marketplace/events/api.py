"""The journal over HTTP."""

from django.conf import settings
from django.http import HttpResponseRedirect
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import organizations_of
from marketplace.common.clock import utc_now
from marketplace.common.paging import paged
from marketplace.events.eventview import event_as_json
from marketplace.events.models import Event


class EventsView(APIView):
    """What happened to what is yours."""

    scopes = {"GET": "jobs:read"}

    @extend_schema(tags=["events"], responses={200: dict})
    def get(self, request: Request) -> Response | HttpResponseRedirect:
        """Events, newest first; `type` and `object` narrow them, `follow=1` streams them."""
        if request.query_params.get("follow") == "1":
            return HttpResponseRedirect(f"{settings.STREAM_URL}{request.get_full_path()}", status=307)
        events = Event.objects.seen_by(organizations_of(request)).order_by("-pk")
        types = request.query_params.getlist("type")
        if types:
            events = events.of_types(types)
        subject = request.query_params.get("object")
        if subject:
            events = events.of_object(subject)
        return paged(request, events, event_as_json, now=utc_now())
