"""The functions of `import meanface`: the same stages and workers as the command line."""
