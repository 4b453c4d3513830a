"""Why the engine stops by name. Nothing is ever skipped to avoid one of these."""


class EngineStopped(Exception):
    """The engine must not go on; `code` names the runbook, the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Fenced(EngineStopped):
    """Another engine took the partition: this one's work is rolled back. Start again and join the group anew."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            "engine-fenced", f"another engine owns {topic}/{partition} now; this one's batch was rolled back"
        )
