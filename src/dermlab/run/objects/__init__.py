"""A source's objects, read by key: from a folder, a zip or a bucket. What they are, their etags tell."""
