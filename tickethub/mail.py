"""Mail in development."""

from django.core.mail.backends import console

MAIL = """\
From: {message.from_email}
To: {recipients}
Subject: {message.subject}

{message.body}
"""


class ConsoleBackend(console.EmailBackend):
    """Prints mails as their readers see them. Django's own prints them as they travel, which breaks links in two."""

    def write_message(self, message):
        mail = MAIL.format(message=message, recipients=", ".join(message.recipients()))
        self.stream.write(f"{'-' * 80}\n{mail}{'-' * 80}\n")
