"""The whole way of a photo as tensor code, in batches, for a GPU: from pixels to embeddings.

::

    photos ─pyramid─▶ levels ─hog─▶ features ─scan─▶ scores ─suppression─▶ boxes ─landmarks─▶ points ─chip─▶ chips
                                                                                        ─network─▶ embeddings

Each module holds one of these steps and follows dlib's numbers as `native/` does: integers and truncated sums to the
bit, other sums of floats in another order. It runs on any device that PyTorch has, which is how it is tested without a
GPU. Decision 11 in docs/decisions says what is the same as on the CPU, and what is measured.
"""
