"""Contract suites, fakes and clocks, for the authors of plugins. Needs pytest and pytest-trio."""
