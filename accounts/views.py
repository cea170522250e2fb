"""Registering, tokens, passwords, and people."""

from functools import partial

from django.db import connection, transaction
from rest_framework import generics, status
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.response import Response
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView, TokenRefreshView

from accounts import attempts
from accounts.filters import UserFilter
from accounts.mail import send_address_changed, send_password_reset
from accounts.models import User
from accounts.serializers import (
    LoginSerializer,
    PasswordChangeSerializer,
    PasswordResetConfirmSerializer,
    PasswordResetSerializer,
    RegistrationSerializer,
    TokenBlacklistSerializer,
    UserSerializer,
)
from tickethub.filters import refuse_unknown
from tickethub.mail import in_background
from tickethub.throttling import take
from tickethub.transactions import in_transaction
from tickethub.viewsets import (
    GenericViewSet,
    ListModelMixin,
    RetrieveModelMixin,
    StrictPostMixin,
    UpdateModelMixin,
    shown_by,
)


class RegisterView(StrictPostMixin, generics.CreateAPIView):
    """Make an account. The answer is the user; log in with the same email and password for tokens."""

    serializer_class = RegistrationSerializer
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_scope = "register"

    def create(self, request, *args, **kwargs):
        """In no transaction, unlike what else is made: to hash a password takes long, and SQLite has one writer."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.perform_create(serializer)
        return Response(shown_by(serializer), status=status.HTTP_201_CREATED)


class LoginView(StrictPostMixin, TokenObtainPairView):
    """Log in: an access token for the `Authorization: Bearer` header, and a refresh token to get the next with."""

    serializer_class = LoginSerializer
    throttle_scope = "login"


class RefreshView(StrictPostMixin, TokenRefreshView):
    """Get a new pair of tokens. The refresh token that was sent is dead from then on: sent again, it ends the login.

    But sent again with the same `idempotency_key` it gives the same new one, until that is used: so no login is lost
    with an answer.
    """

    throttle_scope = "refresh"


class LogoutView(StrictPostMixin, TokenBlacklistView):
    """Log out: end all tokens that came of the login that a refresh token comes of."""

    serializer_class = TokenBlacklistSerializer


class PasswordView(StrictPostMixin, generics.GenericAPIView):
    """What the password views share: a body that is checked, and carried out in one transaction that checks again."""

    throttle_scope = "password"

    def post(self, request):
        serializer = self.get_serializer(self.get_target(), data=request.data)
        serializer.is_valid(raise_exception=True)
        attempts.trust(serializer.save().email, request)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_target(self):
        return None


class PasswordChangeView(PasswordView):
    """Change the caller's password. Every earlier token is dead; log in again."""

    serializer_class = PasswordChangeSerializer

    def get_target(self):
        return self.request.user


class PasswordResetConfirmView(PasswordView):
    """Set a new password with the `uid` and `token` of a mailed link, once. Every earlier token is dead."""

    serializer_class = PasswordResetConfirmSerializer
    authentication_classes = []
    permission_classes = [AllowAny]


class PasswordResetView(StrictPostMixin, generics.GenericAPIView):
    """Mail a link for a new password. The answer is the same whether or not somebody has the address."""

    serializer_class = PasswordResetSerializer
    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_scope = "reset"

    def post(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        email = serializer.validated_data["email"]
        connection.ensure_connection()  # 503 while the database is away, rather than a mail that never comes
        take("account", f"mail for {email}")  # or many addresses could fill somebody's mailbox
        in_background(send_password_reset, email)
        return Response(
            {"detail": "If somebody has this address, a mail is on its way."}, status=status.HTTP_202_ACCEPTED
        )


class MeView(UpdateModelMixin, generics.RetrieveDestroyAPIView):
    """The caller's own account.

    get: Get the caller's own account.

    patch: Change the caller's own account. For the password there is `auth/password/change/`.
    """

    serializer_class = UserSerializer
    http_method_names = ["get", "patch", "delete", "head", "options"]
    filter_backends = []

    def get_object(self):
        refuse_unknown(self.request.query_params, ())
        if self.request.method in SAFE_METHODS:
            return self.request.user
        # A change that is done again begins with what stands, and not with what the attempt before it has set.
        return get_object_or_404(User.objects.select_for_update(no_key=True), pk=self.request.user.pk)

    def patch(self, request, *args, **kwargs):
        if isinstance(request.data, dict) and request.data.get("email", request.user.email) != request.user.email:
            take("register", request.user.pk)  # which tells as well who has an account
        return self.partial_update(request)

    def perform_update(self, serializer):
        old = serializer.instance.email
        if serializer.validated_data.get("email", old) != old:
            take("account", f"change from {old}")  # or many, who had it in turn, could fill somebody's mailbox
        user = serializer.save()
        if user.email != old:
            transaction.on_commit(partial(in_background, send_address_changed, user, old))

    @in_transaction
    def delete(self, request):
        """Deactivate the caller's account. 409 while they are the last owner of a project."""
        user = self.get_object()
        for membership in user.memberships.owning_locked():
            membership.refuse_for_last_owner()
        user.deactivate()
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserViewSet(RetrieveModelMixin, ListModelMixin, GenericViewSet):
    """The people who share a project with the caller, and the caller."""

    serializer_class = UserSerializer
    filterset_class = UserFilter
    lookup_value_converter = "uuid"

    def get_queryset(self):
        return User.objects.visible_to(self.request.user).order_by("username", "pk")
