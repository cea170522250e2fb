from rest_framework.routers import SimpleRouter

from projects import views

router = SimpleRouter(use_regex_path=False)
router.register("projects", views.ProjectViewSet, basename="project")
router.register("memberships", views.MembershipViewSet, basename="membership")
router.register("invitations", views.InvitationViewSet, basename="invitation")
router.register("statuses", views.StatusViewSet, basename="status")
router.register("labels", views.LabelViewSet, basename="label")

urlpatterns = router.urls
