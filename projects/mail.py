"""The mail that invites somebody."""

from django.core.mail import send_mail

INVITATION = """\
Hello,

@{inviter.username} invites you to the project {name} ({project.key}) on TicketHub, as {role}.

{url}

An app may ask for the token instead: {token}
It is for {email} alone, works once, and until {expires:%-d %B %Y}.
"""


def send_invitation(invitation, inviter):
    """Mail a fresh invitation, which still knows its token."""
    name = " ".join(invitation.project.name.split())  # one line: old ones may have more
    send_mail(
        f"Join {name} on TicketHub",
        INVITATION.format(
            inviter=inviter,
            name=name,
            project=invitation.project,
            role=invitation.role,
            url=invitation.accept_url,
            token=invitation.token,
            email=invitation.email,
            expires=invitation.expires_at,
        ),
        None,
        [invitation.email],
    )
