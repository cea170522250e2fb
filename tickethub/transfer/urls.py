from rest_framework.routers import SimpleRouter

from tickethub.transfer.views import TransferViewSet

router = SimpleRouter(use_regex_path=False)
router.register("projects", TransferViewSet, basename="project")

urlpatterns = router.urls
