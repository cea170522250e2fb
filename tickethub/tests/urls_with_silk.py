"""The addresses with Silk switched on."""

from django.urls import include, path

from tickethub.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500"]

urlpatterns = [*urlpatterns, path("silk/", include("silk.urls", namespace="silk"))]
