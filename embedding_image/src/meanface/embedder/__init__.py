"""What turns a photo into embeddings: decoding, detector, landmarks, network."""
