"""Downloads over HTTP that are bounded, polite and confined to permitted addresses."""
