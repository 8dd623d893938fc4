"""Whole lines out of a log's parts. The marketplace stores what agents send: any bytes, cut anywhere."""

from dataclasses import replace

from .job_objects import LogLine


class LineAssembler:
    """Feed it the parts of a log in order; it gives each line once it is whole, without its line ending."""

    def __init__(self) -> None:
        self._open: LogLine | None = None

    def feed(self, part: LogLine) -> list[LogLine]:
        """The lines that `part` completes; the line of an attempt that ended in the middle of it comes first."""
        lines = self.flush() if self._open is not None and self._open.number != part.number else []
        text = part.text
        if part.next_offset - part.offset == len(text.encode()) + 1:
            text += "\n"  # a part that already is a line, its ending counted but not sent
        *whole, rest = text.split("\n")
        place = part.offset
        for piece in whole:
            end = place + len(piece.encode()) + 1
            lines.append(self._closed(part, piece, place, end))
            place = end
        if rest:
            self._open = self._closed(part, rest, place, part.next_offset)
        return lines

    def flush(self) -> list[LogLine]:
        """The last line when the log ends without a line ending."""
        last, self._open = self._open, None
        return [] if last is None else [last]

    def _closed(self, part: LogLine, text: str, offset: int, next_offset: int) -> LogLine:
        """`text` behind the open line, if there is one."""
        start = self._open or replace(part, text="", offset=offset)
        self._open = None
        line = replace(start, text=(start.text + text).removesuffix("\r"), next_offset=next_offset)
        shown = {"offset": line.offset, "next_offset": line.next_offset, "text": line.text}
        return replace(line, raw={**start.raw, **shown})
