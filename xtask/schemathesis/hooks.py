"""What schemathesis cannot know of the API by its document alone."""

import schemathesis

# The end of a tar, which is a whole one with nothing in it.
TAR = bytes(1024)

JOB_FILE = "name: made-up\nrun: echo made up\n"


@schemathesis.serializer("application/x-tar")
def tar(ctx, value):
    """Anything may be an upload, as long as it is there."""
    return value if isinstance(value, bytes) and value else TAR


@schemathesis.hook
def map_body(ctx, body):
    """Of the texts made up for a job file hardly any is one, and what follows a submission would never be reached."""
    if isinstance(body, dict) and isinstance(body.get("file"), str) and len(body["file"]) % 2 == 0:
        return {**body, "file": JOB_FILE}
    return body
