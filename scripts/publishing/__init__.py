"""What a release consists of: one version, two distributions, a chart, two images."""
