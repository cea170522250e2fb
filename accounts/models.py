"""People."""

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from uuid_utils.compat import uuid7

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

    def save(self, **kwargs):
        with transaction.atomic(savepoint=False):  # what shows this person elsewhere is told to the log with it
            super().save(**kwargs)

    def deactivate(self):
        """Close the account: nobody logs in with it again, and its tokens end."""
        self.is_active = False
        self.save(update_fields=["is_active"])


class SessionQuerySet(models.QuerySet):
    def open(self):
        """Those that nobody has ended."""
        return self.filter(ended_at=None)

    def of_token(self, token):
        """The session that a token comes of; none where it was made without a login."""
        pk = token.get(Session.CLAIM)
        return self.filter(pk=pk) if pk else self.none()


class Session(UUIDModel):
    """A login. Every token that comes of it names it in a claim: it ends, and they all end with it."""

    CLAIM = "session"

    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    def __str__(self):
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"

    def end(self):
        """Log out: no token that comes of it is refreshed again."""
        self.ended_at = timezone.now()
        self.save(update_fields=["ended_at"])
