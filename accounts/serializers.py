"""People and their credentials, as the API shows and takes them."""

import time
from functools import partial

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer

from accounts import attempts, passwords
from accounts.authentication import session_of
from accounts.models import LowerCaseEmailField, Session, User
from accounts.passwords import NewPassword
from accounts.tokens import RefreshToken
from tickethub.serializers import ChangedFieldsSerializer
from tickethub.threads import aside
from tickethub.transactions import in_transaction


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs):
        super().__init__(
            write_only=True, trim_whitespace=False, max_length=128, style={"input_type": "password"}, **kwargs
        )


class EmailField(serializers.EmailField):
    """An address in lower case before it is looked at: a letter may become two, and too many, or one of none."""

    def to_internal_value(self, data):
        return super().to_internal_value(data).lower()


class UserSerializer(ChangedFieldsSerializer):
    serializer_field_mapping = {
        **ChangedFieldsSerializer.serializer_field_mapping,
        LowerCaseEmailField: EmailField,
    }

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "date_joined"]
        read_only_fields = ["date_joined"]

    def validate_username(self, value):
        """Refuse a handle that is taken. No field validator, which would look for words too long for SQLite as well."""
        others = User.objects.exclude(pk=self.instance.pk) if self.instance else User.objects
        if others.filter(username__iexact=value).exists():
            raise serializers.ValidationError("This handle is taken.", code="unique")
        return value


class RegistrationSerializer(UserSerializer):
    password = PasswordField()

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "password"]

    def validate(self, attrs):
        person = User(**{name: value for name, value in attrs.items() if name != "password"})
        check_password_strength(attrs["password"], person, "password")
        return attrs

    def create(self, validated_data):
        return User.objects.create_user(**validated_data)


def check_password_strength(password, user, field):
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise serializers.ValidationError(
            {field: serializers.as_serializer_error(error)["non_field_errors"]}
        ) from error


class PasswordChangeSerializer(serializers.Serializer):
    current_password = PasswordField()
    new_password = PasswordField()

    default_error_messages = {"wrong_password": "This is not your present password."}

    def validate_current_password(self, value):
        compare = partial(self.instance.check_password, value)
        if not attempts.counted(self.instance.email, self.context["request"], compare):
            self.fail("wrong_password")
        return value

    def validate(self, attrs):
        check_password_strength(attrs["new_password"], self.instance, "new_password")
        return attrs

    def update(self, instance, validated_data):
        def is_allowed(user):
            return user.password == instance.password or user.check_password(validated_data["current_password"])

        user = passwords.change(instance, is_allowed, NewPassword(validated_data["new_password"]))
        if user is None:
            detail = ErrorDetail(self.error_messages["wrong_password"], "wrong_password")
            raise serializers.ValidationError({"current_password": [detail]})
        return user


class PasswordResetSerializer(serializers.Serializer):
    email = EmailField(max_length=254)


class PasswordResetConfirmSerializer(serializers.Serializer):
    """Takes the `uid` and `token` of a mailed link, once."""

    uid = serializers.CharField(max_length=64)
    token = serializers.CharField(max_length=128)
    new_password = PasswordField()

    default_error_messages = {"bad_link": "This link is not valid, was used, or is too old."}

    def validate(self, attrs):
        user = passwords.user_of_link(attrs["uid"], attrs["token"])
        if user is None:
            self.fail("bad_link")
        check_password_strength(attrs["new_password"], user, "new_password")
        return attrs

    def create(self, validated_data):
        new = NewPassword(validated_data["new_password"])
        user = passwords.set_by_link(validated_data["uid"], validated_data["token"], new)
        if user is None:
            self.fail("bad_link")
        return user


class LoginSerializer(TokenObtainPairSerializer):
    """Begin a session, which the tokens name.

    SimpleJWT's own would cut the spaces off the ends of a password, which registering keeps.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["password"].trim_whitespace = False

    @classmethod
    @in_transaction
    def get_token(cls, user):
        """Begin the session of a user, locked: what ends sessions ends this one as well, or has come first, since the
        password was compared.
        """
        locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not locked.is_active or locked.password != user.password:
            raise AuthenticationFailed(cls.default_error_messages["no_active_account"], "no_active_account")
        locked.last_login = timezone.now()
        locked.save(update_fields=["last_login"])
        return locked.sessions.create().refresh_token()


def of_living_session(token):
    """The session that a token comes of, locked: what else is done with it comes before this, or after."""
    sessions = Session.objects.select_for_update(of=("self",), no_key=True).select_related("user")
    return session_of(token, lambda pk, user: sessions.filter(pk=pk, user=user).first())


class TokenRefreshSerializer(serializers.Serializer):
    """Rotate a refresh token: it dies, and of many uses at once exactly one gives a child.

    One that is spent was stolen, or its child was: that ends the session. It goes on where many asked at once, as two
    tabs do. So the answer is held for a moment: who comes within it cannot know the child, and who does comes later.
    It goes on as well where who spent it has lost the answer, which the key shows.
    """

    refresh = serializers.CharField()
    access = serializers.CharField(read_only=True)
    idempotency_key = serializers.CharField(
        write_only=True,
        required=False,
        min_length=16,
        max_length=64,
        trim_whitespace=False,
        help_text="Random, another for each token: sent with it again, it gives the next pair anew, till that is used.",
    )

    def validate(self, attrs):
        fresh = self.rotate(RefreshToken(attrs["refresh"]), attrs.get("idempotency_key"))
        if not fresh:
            raise InvalidToken("This token was used already.")
        if settings.REFRESH_HELD_FOR:
            with aside():
                time.sleep(settings.REFRESH_HELD_FOR.total_seconds())
        return {"access": str(fresh.access_token), "refresh": str(fresh)}

    @in_transaction
    def rotate(self, token, key):
        """The child of a token. None for one that is spent: what comes of that stands, though the answer is 401."""
        session = of_living_session(token)
        fresh = session.rotate(token, key)
        if not fresh and self.context["request"].began_at > session.rotated_at + settings.REFRESH_HELD_FOR:
            session.end()
        return fresh


class TokenBlacklistSerializer(serializers.Serializer):
    """End the session that a refresh token comes of, be the token spent or not."""

    refresh = serializers.CharField(write_only=True)

    @in_transaction
    def validate(self, attrs):
        of_living_session(RefreshToken(attrs["refresh"])).end()
        return {}
