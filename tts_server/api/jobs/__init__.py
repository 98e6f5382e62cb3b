"""Long texts: jobs over HTTP and as messages."""
