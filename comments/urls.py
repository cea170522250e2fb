from rest_framework.routers import SimpleRouter

from comments import views

router = SimpleRouter(use_regex_path=False)
router.register("comments", views.CommentViewSet, basename="comment")

urlpatterns = router.urls
