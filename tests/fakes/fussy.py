"""Relays that offer PIPELINING and cannot bear what comes in one piece with a content's dot."""

import asyncio


async def fussy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, forgets: bool
) -> None:
    """Serve one connection; throw away what came behind the dot, or answer 503 to each line."""
    writer.write(b"220 ready\r\n")
    kept, in_data = b"", False
    while piece := await reader.read(65536):
        kept, is_behind = kept + piece, False
        while (end := kept.find(b"\r\n.\r\n" if in_data else b"\r\n")) >= 0:
            verb, kept = kept[:4].upper(), kept[end + (5 if in_data else 2) :]
            if in_data:
                in_data, is_behind = False, True
                kept = b"" if forgets else kept
                writer.write(b"250 taken\r\n")
            elif is_behind:
                writer.write(b"503 5.5.1 not now\r\n")
            elif verb == b"EHLO":
                writer.write(b"250-relay\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                in_data = True
                writer.write(b"354 go on\r\n")
            else:
                writer.write(b"250 fine\r\n")
    writer.close()
