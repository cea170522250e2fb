"""People, and their logins."""

from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.utils import datetime_to_epoch
from uuid_utils.compat import uuid7

from accounts.tokens import RefreshToken
from tickethub.models import TrackedQuerySet, UUIDModel


class LowerCaseEmailField(models.EmailField):
    """An address, kept and looked up in lower case: people log in whatever the case they type."""

    def pre_save(self, instance, add):
        setattr(instance, self.attname, self.to_python(getattr(instance, self.attname)))
        return super().pre_save(instance, add)

    def to_python(self, value):
        value = super().to_python(value)
        return value.lower() if isinstance(value, str) else value

    def get_prep_value(self, value):
        return self.to_python(super().get_prep_value(value))


class UserQuerySet(TrackedQuerySet):
    """Tracked, since a person is shown in their memberships."""

    def visible_to(self, user):
        """The people who share a project with `user`, and `user`."""
        if not user.is_authenticated:
            return self.none()
        together = self.model.objects.filter(memberships__project__memberships__user=user)
        return self.filter(models.Q(pk__in=together.values("pk")) | models.Q(pk=user.pk))


class UserManager(DjangoUserManager.from_queryset(UserQuerySet)):
    def get_by_natural_key(self, username):
        return self.get(email=username)


class User(AbstractUser):
    """A person, who logs in with `email` and is mentioned as `@username`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(
        max_length=30,
        validators=[RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\Z", "Letters, digits, and _ . - after the first.")],
        help_text="The handle in a mention: letters, digits, and _ . - after the first.",
    )
    email = LowerCaseEmailField(unique=True, error_messages={"unique": "Somebody has this address already."})

    objects = UserManager()
    loaded = {}  # what the database has of this one, by field

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="user_username_unique", violation_error_message="This handle is taken."
            )
        ]

    def __str__(self):
        return f"@{self.username}"

    @classmethod
    def from_db(cls, db, field_names, values, **kwargs):
        user = super().from_db(db, field_names, values, **kwargs)
        user.loaded = {name: value for name, value in vars(user).items() if name in field_names}
        return user

    def refresh_from_db(self, using=None, fields=None, **kwargs):
        super().refresh_from_db(using, fields, **kwargs)
        read = {name: value for name, value in self.here().items() if fields is None or name in fields}
        self.loaded = {**self.loaded, **read}

    def save(self, *, update_fields=None, **kwargs):
        """Save what was changed here, and nothing else: Django's password forms would write back a row as it was before
        they hashed, with the account open that was closed meanwhile.
        """
        ends_sessions = not self._state.adding and (self._password is not None or not self.is_active)
        if update_fields is None and not self._state.adding:
            here = self.here().items()
            update_fields = {name for name, value in here if name not in self.loaded or self.loaded[name] != value}
        with transaction.atomic(savepoint=False):  # what shows this person elsewhere is told to the log with it
            super().save(update_fields=update_fields, **kwargs)
            if ends_sessions:
                self.sessions.end()
        # What was written may yet be undone with the transaction around it, so it is written again each time.
        written = self.loaded if update_fields is None else update_fields
        self.loaded = {name: value for name, value in self.loaded.items() if name not in written}

    def here(self):
        """What stands here by field, the primary key aside and those that were not loaded."""
        names = {field.attname for field in self._meta.concrete_fields if not field.primary_key}
        return {name: value for name, value in vars(self).items() if name in names}

    def deactivate(self):
        """Close the account: nobody logs in with it again, and its tokens end."""
        self.is_active = False
        self.save(update_fields=["is_active"])


class SessionQuerySet(models.QuerySet):
    def open(self):
        """Those that are neither ended nor expired."""
        return self.filter(ended_at=None, expires_at__gt=timezone.now())

    def end(self):
        """End them all, quietly: what ends a person's sessions is a change of the person, which is told."""
        self.open().update(ended_at=timezone.now())

    def prune(self, before):
        """Forget those that ended or expired before a time. Gives how many."""
        return self.filter(models.Q(ended_at__lt=before) | models.Q(expires_at__lt=before)).delete()[0]


def in_session_lifetime():
    return timezone.now() + settings.SESSION_LIFETIME


def new_jti():
    return uuid4().hex


class Session(UUIDModel):
    """A login, and the family of tokens that come of it. Each names it in a claim: it ends, and they all end with it.

    Of its refresh tokens one is alive: that which has `refresh_jti`, which without the signing key is no token.
    """

    CLAIM = "session"

    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    expires_at = models.DateTimeField(default=in_session_lifetime)
    ended_at = models.DateTimeField(null=True, blank=True)
    refresh_jti = models.CharField(max_length=32, default=new_jti, editable=False)
    rotated_at = models.DateTimeField(default=timezone.now)

    objects = SessionQuerySet.as_manager()

    def __str__(self):
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self):
        return self.ended_at is None and timezone.now() < self.expires_at

    def refresh_token(self):
        """The refresh token that is alive, not valid beyond this session; its `access_token` goes with it."""
        token = RefreshToken.for_user(self.user)
        token[self.CLAIM] = str(self.pk)
        token[jwt_settings.JTI_CLAIM] = self.refresh_jti
        token["exp"] = min(token["exp"], datetime_to_epoch(self.expires_at))
        return token

    def rotate(self, token, key):
        """Let a refresh token die, and give its child; None for one that is spent.

        Who sends the idempotency key that it was spent with has lost the answer, and gets the same child again. Once
        that is spent as well, the key is worth nothing.
        """
        jti = token[jwt_settings.JTI_CLAIM]
        child = salted_hmac("tickethub.refresh", jti + key, algorithm="sha256").hexdigest()[:32] if key else new_jti()
        if jti == self.refresh_jti:
            self.refresh_jti, self.rotated_at = child, timezone.now()
            self.save(update_fields=["refresh_jti", "rotated_at"])
        return self.refresh_token() if child == self.refresh_jti else None

    def end(self):
        """Log out: none of its tokens is good any more."""
        self.ended_at = timezone.now()
        self.save(update_fields=["ended_at"])
