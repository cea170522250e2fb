from django.urls import path

from realtime.views import EventsView

urlpatterns = [path("events/", EventsView.as_view(), name="events")]
