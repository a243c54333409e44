"""Files on disk or in a bucket: where each is, how it is written whole, and how damage is noticed."""
