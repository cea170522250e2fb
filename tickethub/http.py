"""HTTP as Django answers it under ASGI, but for one thing: all of a request in one thread."""

import asyncio
import logging
import threading
from contextlib import closing, nullcontext

from django.core import signals
from django.core.exceptions import BadRequest, RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import FileResponse
from django.urls import set_script_prefix
from rest_framework.permissions import SAFE_METHODS

from tickethub.intake import CUT_OFF
from tickethub.logs import PROBES
from tickethub.threads import LEAVING, in_thread, probes, threads, turn, writers

logger = logging.getLogger(__name__)


class Handler(ASGIHandler):
    """Django's own, with its middleware as under WSGI."""

    def load_middleware(self, is_async=False):
        super().load_middleware(is_async=False)

    async def __call__(self, scope, receive, send):
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            begun = threading.Event()
            leaving = asyncio.ensure_future(receive()) if is_write(scope) else None  # for who waits to know of it
            LEAVING.set(leaving)
            pool = probes if is_probe(scope) else writers if is_write(scope) else threads
            answering = in_thread(self.answer, scope, body, begun, pool=pool)
            try:
                if pool.waiting:  # no thread is free, and the client may go before one is
                    leaving = leaving or asyncio.ensure_future(receive())
                    await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    if not begun.is_set() and not answering.done():
                        answering.cancel()
                        return
                response = await answering
                if response.streaming:
                    leaving = leaving or asyncio.ensure_future(receive())
                    await self.stream(response, send, leaving)
                else:
                    await self.send_response(response, send)
            finally:
                if leaving:
                    leaving.cancel()

    async def stream(self, response, send, leaving):
        """Send a body that is made meanwhile, until the client leaves. If that fails, the client sees it cut off."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and (error := sending.exception()):
                logger.error("A body could not be sent to its end", exc_info=error)
                await send({"type": CUT_OFF})
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            await in_thread(response.close)

    def create_request(self, scope, body):
        try:
            return super().create_request(scope, body)
        except BadRequest:  # for a Content-Type too long to be looked into, which is as good as none
            headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
            return super().create_request({**scope, "headers": headers}, body)

    def answer(self, scope, body, begun):
        begun.set()
        with nullcontext() if is_probe(scope) else turn(writes=is_write(scope)):
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=type(self), scope=scope)
            request, response = self.create_request(scope, body)
            if request:
                response = self.get_response(request)
            if scope["method"] == "HEAD":  # Daphne would send the body all the same, but for its first piece
                leave_out_body(response)
            response._handler_class = type(self)
            let_go(response)
            if isinstance(response, FileResponse):
                response.block_size = self.chunk_size
            if response.streaming:  # it is closed when it is sent
                close_old_connections()
            else:
                response.close()
            return response


def let_go(response):
    """Have REST framework's answer hold nothing but what is sent, and be held by nobody: the circles in which it stands
    would keep what may be large until the garbage collector comes round.
    """
    if context := vars(response).pop("renderer_context", None):
        context["view"].response = response.data = None


def leave_out_body(response):
    if response.streaming:
        response.streaming_content = ()
    else:
        response.content = b""


def is_probe(scope):
    return scope["path"] in PROBES


def is_write(scope):
    return scope["method"] not in SAFE_METHODS
