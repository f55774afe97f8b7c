"""The processes that turn accepted alerts into messages, and learn what became of them."""
