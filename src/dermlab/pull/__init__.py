"""pull: from a pinned source to verified, metadata-free images in shards and the catalog of them."""
