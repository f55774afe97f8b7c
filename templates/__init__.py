"""Words: blanks and their filling, the built-in texts, the marking of drills, the e-mail frame."""
