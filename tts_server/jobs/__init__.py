"""Long texts: jobs whose segments are spoken one by one and joined into one file. See docs/architecture/jobs.md."""
