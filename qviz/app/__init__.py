"""Floor 6: the document, its edits, the Session and its lanes; no Qt."""
