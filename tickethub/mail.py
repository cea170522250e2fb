"""Mail: sent while requests go on, and shown in development where no server takes it."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import BoundedSemaphore

from django.conf import settings
from django.core.mail.backends import console
from django.core.mail.backends.base import BaseEmailBackend
from django.db import close_old_connections

LATER = 0.1  # seconds
WAITING = 1000  # mails; more are not kept

MAIL = """\
From: {message.from_email}
To: {recipients}
Subject: {message.subject}

{message.body}
"""

logger = logging.getLogger(__name__)
room = BoundedSemaphore(WAITING)


@cache
def threads():
    """Those that send. A process that ends waits until they have sent all."""
    return ThreadPoolExecutor(settings.MAIL_THREADS, thread_name_prefix="mail")


def in_background(send, *words):
    """Have a function send a mail. A mail server that is slow or away neither delays nor fails whoever asks for it."""
    if not settings.MAIL_THREADS:
        attempt(send, *words)
    elif room.acquire(blocking=False):
        threads().submit(attempt_apart, send, *words).add_done_callback(lambda _: room.release())
    else:
        logger.error("A mail is not sent: too many wait")


def attempt(send, *words):
    try:
        send(*words)
    except Exception as error:  # its words may have addresses in them, and its traceback tokens
        logger.error("A mail could not be sent: %s", type(error).__name__)


def attempt_apart(send, *words):
    """Attempt it in a thread, whose connection to the database goes back afterwards.

    The answer is given by then: else whom there is a mail for would slow it down, and so tell that they are known.
    """
    time.sleep(LATER)
    try:
        attempt(send, *words)
    finally:
        close_old_connections()


class NoBackend(BaseEmailBackend):
    """Sends nothing, and tells so: in production what is printed is kept, and mails have links that set passwords."""

    def send_messages(self, email_messages):
        for _ in email_messages:
            logger.warning("A mail is not sent: EMAIL_HOST is not set")
        return 0


class ConsoleBackend(console.EmailBackend):
    """Prints mails as their readers see them. Django's own prints them as they travel, which breaks links in two."""

    def write_message(self, message):
        mail = MAIL.format(message=message, recipients=", ".join(message.recipients()))
        self.stream.write(f"{'-' * 80}\n{mail}{'-' * 80}\n")
