"""Every address of TicketHub."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views import defaults

from tickethub import probes, root, schema, views
from tickethub.handlers import handlers, unknown_api_address
from tickethub.throttling import limited

api = [  # what is asked most comes first: Django tries one after another
    path("", include("tasks.urls")),
    path("", include("comments.urls")),
    path("", include("realtime.urls")),
    path("", include("projects.urls")),
    path("", include("tickethub.transfer.urls")),
    path("", include("accounts.urls")),
]

urlpatterns = [
    path("", views.HomePage.as_view(), name="home"),
    # A project's board; clients/board/route.js says which addresses there are.
    re_path(r"^[A-Z][A-Z0-9]{1,9}/(?:list/|people/)?$", views.HomePage.as_view(), name="board"),
    path("api/v1/", root.RootView.as_view(patterns=api), name="root"),
    path("api/v1/schema/", root.DescriptionView.as_view(), name="openapi"),
    path("api/v1/", include(api)),
    re_path(r"^api/", unknown_api_address, name="unknown"),
    path("invitations/accept/", views.InvitationPage.as_view(), name="invitation"),
    path("password/reset/<uidb64>/<token>/", views.password_reset, name="password_reset_confirm"),
    path("password/reset/done/", views.PasswordResetDonePage.as_view(), name="password_reset_complete"),
    path("swagger/", schema.page("swagger"), name="swagger"),
    path("swagger.<format>", schema.description, name="schema"),
    path("redoc/", schema.page("redoc"), name="redoc"),
    path("admin/login/", limited("login")(admin.site.login)),
    path("admin/password_change/", limited("password")(admin.site.admin_view(admin.site.password_change))),
    path("admin/", admin.site.urls),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
]
if settings.ENABLE_SILK:
    urlpatterns.append(path("silk/", include("silk.urls", namespace="silk")))

handler400, handler403, handler404, handler500 = handlers(defaults)
