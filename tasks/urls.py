from rest_framework.routers import SimpleRouter

from tasks import views

router = SimpleRouter(use_regex_path=False)
router.register("tasks", views.TaskViewSet, basename="task")
router.register("relations", views.TaskRelationViewSet, basename="relation")

urlpatterns = router.urls
