"""The pages around the API."""

from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.db import DatabaseError
from django.http import HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, TemplateView

from accounts import attempts, passwords
from accounts.passwords import NewPassword
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
    """The board, or a welcome for who is not signed in: only the browser knows which, from its storage."""

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


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class PasswordResetPage(FormView):
    """Where a mailed link leads. Its token goes from the address, which others are told of, into a cookie: Django would
    have the session keep it, in the database.
    """

    form_class = SetPasswordForm
    template_name = "tickethub/password_reset.html"
    success_url = reverse_lazy("password_reset_complete")
    placeholder = "set-password"
    cookie = "password_reset"

    def dispatch(self, request, uidb64, token):
        is_mailed = token != self.placeholder
        self.link = uidb64, token if is_mailed else request.COOKIES.get(self.cookie, "")
        self.user = passwords.user_of_link(*self.link)
        if self.user is None:
            return self.refuse()
        return self.hide_token() if is_mailed else super().dispatch(request)

    def refuse(self):
        return self.render_to_response({"validlink": False})

    def hide_token(self):
        uid, token = self.link
        path = reverse("password_reset_confirm", args=[uid, self.placeholder])
        response = HttpResponseRedirect(path)
        response.set_cookie(
            self.cookie,
            token,
            max_age=settings.PASSWORD_RESET_TIMEOUT,
            path=path,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"user": self.user}

    def get_context_data(self, **kwargs):
        return super().get_context_data(validlink=True, **kwargs)

    def form_valid(self, form):
        user = passwords.set_by_link(*self.link, NewPassword(form.cleaned_data["new_password1"]))
        if user is None:  # it was used, or the account closed, meanwhile
            return self.refuse()
        attempts.trust(user.email, self.request)
        response = super().form_valid(form)
        response.delete_cookie(self.cookie, path=self.request.path, samesite="Lax")
        return response


password_reset = limited("password")(PasswordResetPage.as_view())


class PasswordResetDonePage(TemplateView):
    template_name = "tickethub/password_reset_done.html"
