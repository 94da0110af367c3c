"""Long times in short ones: trio jumps to the next moment at which anything happens."""
