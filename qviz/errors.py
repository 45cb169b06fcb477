"""The one exception that carries a message meant for the user."""


class QvizError(Exception):
    """Something the user can mend: names the subject (a file, a layer), the cause and the cure."""

    def __init__(self, subject: str, cause: str, cure: str) -> None:
        """Keep the three parts; `str()` joins them into one sentence each."""
        super().__init__(subject, cause, cure)
        self.subject = subject
        self.cause = cause
        self.cure = cure

    def __str__(self) -> str:
        """One line: subject, cause, cure."""
        end = "" if self.cure.endswith("?") else "."
        return f"{self.subject}: {self.cause}. {self.cure}{end}"
