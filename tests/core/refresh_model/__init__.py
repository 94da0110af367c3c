"""An explicit-state model of the refresh protocol (reliability 3): every order of events, within a budget of faults."""
