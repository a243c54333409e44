"""HTTP downloads that are bounded, polite and confined to permitted addresses."""
