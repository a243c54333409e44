"""Turn a photo into embeddings: decoding, detector, landmarks, network."""
