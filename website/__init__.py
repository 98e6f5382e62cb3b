"""The documentation's site (mkdocs.yml), and the recording of the demo in the README."""
