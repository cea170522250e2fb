"""Bodies that are made while they are sent."""

from django.db import close_old_connections
from django.http import StreamingHttpResponse

from tickethub.threads import in_thread, turn

END = object()


class PiecewiseResponse(StreamingHttpResponse):
    """A body whose pieces are each made in a thread with a turn, as a request is answered.

    Between two of them it holds neither, nor a connection to the database, however long the client takes to read.
    Django would make a list of all of them first.
    """

    async def __aiter__(self):
        pieces = iter(self.streaming_content)
        while (piece := await in_thread(self.make, pieces)) is not END:
            yield piece

    @staticmethod
    def make(pieces):
        with turn():
            try:
                return next(pieces, END)
            finally:
                close_old_connections()
