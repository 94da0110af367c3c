"""The balancing strategies that tigercore ships."""
