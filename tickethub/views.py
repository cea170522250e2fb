"""The pages around the API."""

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.db import DatabaseError
from django.urls import reverse_lazy
from django.views.generic import TemplateView

from accounts import attempts
from tickethub.management.demo import filling
from tickethub.schema import are_public
from tickethub.throttling import limited


class Page(TemplateView):
    """A page that knows at which address it is read."""

    def get_context_data(self, **kwargs):
        address = self.request.build_absolute_uri("/").rstrip("/")
        live = address.replace("http", "ws", 1)
        return super().get_context_data(address=address, live=live, api_pages_are_public=are_public(), **kwargs)


class HomePage(Page):
    template_name = "tickethub/home.html"

    def get_context_data(self, **kwargs):
        return super().get_context_data(silk=settings.ENABLE_SILK, **demo_logins(), **kwargs)


def demo_logins():
    """Who can log in to the demo and with which password; nothing in production, or while there is no database."""
    try:
        return {"logins": list(filling.logins()), "password": filling.PASSWORD} if settings.DEBUG else {}
    except DatabaseError:
        return {}


class InvitationPage(Page):
    template_name = "tickethub/invitation.html"


class PasswordResetPage(auth_views.PasswordResetConfirmView):
    """Where a mailed link leads."""

    template_name = "tickethub/password_reset.html"
    success_url = reverse_lazy("password_reset_complete")

    def form_valid(self, form):
        attempts.trust(self.user.email, self.request)
        return super().form_valid(form)


password_reset = limited("password")(PasswordResetPage.as_view())


class PasswordResetDonePage(TemplateView):
    template_name = "tickethub/password_reset_done.html"
